import type { DataSource } from 'typeorm'
import { atomic, configureTasks, DBTaskResult, remoteTask, type TaskResult } from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { backends } from '#backend-registry'
import { startWorker } from '#start-worker'
import { type CliApp, cliApp, tasksIn } from '../support/cli-app'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { appOf } from '../support/temp-app'

const TASKS_FILE = `
  const { task, schedule } = require('typeorm-tasks')
  const double = task('app.double', (value) => value * 2, { backend: 'fast', queueName: 'mail' })
  schedule('app.hourly', double, { cron: '0 * * * *', args: [1] })`
const WORK = ['db_worker', '--backend', 'fast', '--queue-name', '*', '--batch']

describeOnRedis('commands for tasks on Redis', () => {
  const prefix = freshPrefix()
  const tasksText = (relay: string): string =>
    `{ fast: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['mail'], OPTIONS: { connection: '${redisUrl()}', prefix: '${prefix}', ${relay} } } }`

  afterEach(() => backends.get('fast').close())

  function configure(dataSource?: DataSource): void {
    const OPTIONS = { connection: redisUrl(), prefix, dataSource }
    configureTasks({ fast: { BACKEND: BullMQBackend, QUEUES: ['mail'], OPTIONS } })
  }
  const enqueue = (value: number): Promise<TaskResult<unknown>> =>
    remoteTask<[number]>('app.double', { backend: 'fast', queueName: 'mail' }).enqueue(value)

  describe('without a DataSource', () => {
    let root: string
    const tasks = (...args: string[]) => tasksIn(root, ...args, '--data-source', 'app.js')

    beforeAll(() => {
      root = appOf(
        { 'app.js': `exports.TASKS = ${tasksText('')}`, 'tasks.js': TASKS_FILE },
        { 'typeorm-tasks': '..' },
      )
    })
    beforeEach(() => configure())

    it('check looks at Redis alone', async () => {
      const { code, stdout } = await tasks('check')
      expect([code, stdout]).toEqual([0, expect.stringContaining('1 task(s), 1 backend(s)')])
    })

    it('workers lists those that are at work', async () => {
      expect((await tasks('workers')).stdout).toBe('No workers.\n')
      const worker = await startWorker({ backend: 'fast', queues: '*', workerId: 'here' })
      const { code, stdout } = await tasks('workers', '--json')
      await worker.stop()

      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject([{ backend: 'fast', state: 'running' }])
    })

    it('db_worker runs tasks, results lists them, prune deletes them', async () => {
      const { id } = await enqueue(21)
      expect((await tasks(...WORK)).code).toBe(0)
      const listed = await tasks('results', '--json')
      expect(JSON.parse(listed.stdout)).toMatchObject([{ id, status: 'SUCCESSFUL' }])
      const pruned = await tasks(
        'prune_db_task_results',
        '--backend',
        'fast',
        '--queue-name',
        '*',
        '--min-age-days',
        '0',
      )
      expect(pruned.stdout).toBe('Deleted 1 task result(s)\n')
    })

    it('queues lists, pauses and resumes', async () => {
      const { id } = await enqueue(1)
      const list = await tasks('queues', '--json')
      expect(JSON.parse(list.stdout)).toMatchObject([{ name: 'mail', due: 1, paused: null }])
      expect((await tasks('queues', 'pause', 'mail')).stdout).toBe('Queue mail is paused.\n')
      const paused = await tasks('queues', '--json')
      expect(JSON.parse(paused.stdout)).toMatchObject([{ paused: { queue: 'mail' } }])
      expect((await tasks('queues', 'resume', 'mail')).stdout).toBe('Queue mail is resumed.\n')
      expect((await tasks('results', 'cancel', id)).code).toBe(0)
    })

    it('schedules lists them', async () => {
      const { code, stdout } = await tasks('schedules')
      expect([code, stdout]).toEqual([0, expect.stringContaining('app.hourly')])
    })

    it('makemigrations says that Redis needs none', async () => {
      const { code, stdout } = await tasks('makemigrations')
      expect([code, stdout]).toEqual([
        0,
        'No changes detected\nNone of TASKS is in a database: Redis needs no table. The relay of a backend on Redis has one, if its OPTIONS have a dataSource.\n',
      ])
    })

    it('relay says what it needs', async () => {
      const { code, stderr } = await tasks('relay')
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining('No backend of TASKS has a relay.'),
      ])
      expect((await tasks('relay', '--backend', 'fast')).stderr).toContain(
        'TASKS.fast has no relay.',
      )
    })
  })

  describe('with a DataSource', () => {
    let app: CliApp
    const ids = async (): Promise<number> => (await app.rows()).length

    beforeAll(async () => {
      app = await cliApp({
        files: { 'tasks.js': TASKS_FILE },
        tasks: tasksText('dataSource: exports.dataSource'),
      })
    })
    beforeEach(async () => {
      configure(app.dataSource)
      await app.dataSource.getRepository(DBTaskResult).clear()
    })
    /** As by a relay that was killed. */
    const held = async ({ id }: TaskResult<unknown>, leaseMs: number): Promise<void> => {
      const lease = new Date(Date.now() + leaseMs)
      const claim = { status: 'RUNNING', claims: 1, leaseUntil: lease } as const
      await app.dataSource.getRepository(DBTaskResult).update({ id }, claim)
    }
    const committed = (value: number): Promise<TaskResult<unknown>> =>
      atomic(app.dataSource, () => enqueue(value))

    it('check looks at Redis and at the table', async () => {
      const { code, stderr } = await app.tasks('check')
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')])
    })

    it('relay --batch takes what is due to Redis, and says how many', async () => {
      const result = await committed(3)
      const { code, stdout } = await app.tasks('relay', '--batch')
      expect([code, stdout, await ids()]).toEqual([0, 'Took 1 task(s) of fast to Redis\n', 0])
      expect((await result.refresh()).status).toBe('READY')
      expect((await app.tasks(...WORK)).code).toBe(0)
      expect((await result.refresh()).returnValue).toBe(6)
    })

    it('relay --batch waits for what a relay held that was killed', async () => {
      const result = await committed(3)
      await held(result, 8_000)
      const { code, stdout, stderr } = await app.tasks('relay', '--batch')
      expect([code, stdout, await ids()]).toEqual([0, 'Took 1 task(s) of fast to Redis\n', 0])
      expect(stderr).toContain('waits for 1 task(s) that another relay holds')
      expect((await app.tasks(...WORK)).code).toBe(0)
    })

    it('relay --batch says what another relay holds still', async () => {
      const result = await committed(3)
      await held(result, 60_000)
      const { code, stdout, stderr } = await app.tasks('relay', '--batch')
      expect([code, stdout, await ids()]).toEqual([0, 'Took 0 task(s) of fast to Redis\n', 1])
      expect(stderr).toContain('Other relays hold 1 task(s) still.')
      await app.dataSource.getRepository(DBTaskResult).clear()
    })

    it('queues counts what waits for the relay, and says how much', async () => {
      await enqueue(1)
      await committed(2)
      await held(await committed(3), 60_000)
      const { stdout } = await app.tasks('queues')
      expect(stdout).toMatch(/mail +3 +0 +0 +0/)
      expect(stdout).toContain('2 of them wait in the database for the relay')
      const states = JSON.parse((await app.tasks('queues', '--json')).stdout) as unknown
      expect(states).toMatchObject([{ name: 'mail', due: 3, running: 0, forRelay: 2 }])
      await app.dataSource.getRepository(DBTaskResult).clear()
      await app.tasks(...WORK)
      expect((await app.tasks('queues')).stdout).not.toContain('relay')
    })

    it('check says that no relay takes what waits; a relay does not say so of itself', async () => {
      const { id } = await committed(2)
      const enqueuedAt = new Date(Date.now() - 300_000)
      expect((await app.tasks('check')).stderr).not.toContain('relay')
      await app.dataSource.getRepository(DBTaskResult).update({ id }, { enqueuedAt })
      const { code, stderr } = await app.tasks('check')
      expect([code, stderr]).toEqual([
        0,
        expect.stringContaining(
          'warning: 1 task(s) of TASKS.fast wait in the database for the relay, the oldest for 5 min',
        ),
      ])
      expect((await app.tasks('relay', '--batch')).stderr).not.toContain('no relay')
      expect((await app.tasks('check')).stderr).not.toContain('relay')
      await app.tasks(...WORK)
    })

    it('relay goes on until SIGTERM', async () => {
      const relay = app.start('relay')
      await relay.says('Starting relay backend=fast')
      const result = await committed(4)
      while ((await ids()) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
      relay.kill('SIGTERM')
      expect(await relay.exited).toMatchObject({ code: 0 })
      expect(relay.log).toContain('Took 1 task(s) of fast to Redis. Exiting gracefully.')
      await app.tasks(...WORK)
      expect((await result.refresh()).returnValue).toBe(8)
    })

    it('db_worker takes them to Redis by itself; results shows and cancels those that wait', async () => {
      const [first, second] = [await committed(5), await committed(6)]
      const listed = await app.tasks('results', '--json', '--status', 'READY')
      expect((JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id)).toEqual([
        second.id,
        first.id,
      ])
      expect((await app.tasks('results', 'cancel', second.id)).code).toBe(0)
      expect((await app.tasks(...WORK)).code).toBe(0)
      expect((await first.refresh()).returnValue).toBe(10)
      expect((await second.refresh()).status).toBe('FAILED')
    })

    it('makemigrations writes that of the table', async () => {
      const { code, stdout } = await app.tasks('makemigrations', '--check')
      expect([code, stdout]).toEqual([0, 'No changes detected\n'])
      expect(app.dataSource.hasMetadata(DBTaskResult)).toBe(true)
    })
  })
  it('check tells once of a database that two backends are in', async () => {
    const database = "{ BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend' }"
    const app = await cliApp({
      files: { 'tasks.js': TASKS_FILE },
      tasks: tasksText('dataSource: exports.dataSource').replace('{', `{ default: ${database}, `),
    })
    configure(app.dataSource)
    const { id } = await atomic(app.dataSource, () => enqueue(1))
    await app.dataSource.getRepository(DBTaskResult).update({ id }, { backendName: 'gone' })
    const { code, stderr, stdout } = await app.tasks('check')
    expect([code, stderr.match(/backends that TASKS does not have: gone/g)]).toEqual([
      0,
      ['backends that TASKS does not have: gone'],
    ])
    expect(stdout).toMatch(/0 error\(s\) and [12] warning\(s\) \(1 task\(s\), 2 backend\(s\)\)/)
  })
})
