import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskQueue,
  DBTaskResult,
  pausedQueues,
  pauseQueue,
  resumeQueue,
  type RunningWorker,
  runUntilEmpty,
  startWorker,
  task,
  taskEntities,
  type WorkerOptions,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { InvalidSettingsError, NotSupportedError } from '#errors'
import { backends } from '../../lib/backend-registry'
import { describeEachDatabase } from '../support/databases'
import { catchLog, type Line } from '../support/tasks'

/** A worker is to have heard of a pause within 2 s; a slow machine has four times as long. */
const HEARD_MS = 8_000

const ran: string[] = []
let begun = false
const note = task('pause.note', (name: string) => void ran.push(name))
const mail = note.using({ queueName: 'mail' })
const slow = task(
  'pause.slow',
  async (name: string, ms: number) => {
    begun = true
    await sleep(ms)
    ran.push(name)
  },
  { queueName: 'mail' },
)

const QUEUES = ['default', 'mail', 'reports']

describeEachDatabase((database) => {
  let dataSource: DataSource
  let log: Line[]
  let worker: RunningWorker | undefined
  const backend = () => backends.get('default')
  const rows = () => dataSource.getRepository(DBTaskResult)
  const pauses = () => dataSource.getRepository(DBTaskQueue)
  const start = async (options: WorkerOptions = {}) =>
    (worker = await startWorker({ queues: ['default', 'mail'], interval: 100, ...options }))
  const configure = (over: DataSource) =>
    configureTasks({
      default: {
        BACKEND: DatabaseBackend,
        QUEUES: [...QUEUES],
        OPTIONS: { dataSource: over },
      },
    })
  const told = (part: string) => log.some(([, line]) => line.includes(part))

  beforeAll(async () => {
    dataSource = await database.connect({ entities: taskEntities, synchronize: true })
  })
  beforeEach(async () => {
    log = catchLog()
    configure(dataSource)
    ran.length = 0
    begun = false
    await rows().clear()
    await pauses().clear()
  })
  afterEach(async () => {
    await worker?.stop()
    worker = undefined
  })

  it('keeps a pause with its reason, replaces it, and ends it', async () => {
    const until = new Date(Date.now() + 3_600_000)
    const first = await backend().pauseQueue('mail', { reason: 'provider down – 障害', until })

    expect(first).toMatchObject({ queue: 'mail', until, reason: 'provider down – 障害' })
    expect(Math.abs(first.at.getTime() - Date.now())).toBeLessThan(20_000)
    expect(await backend().pausedQueues()).toEqual([first])
    expect(await pauses().find()).toEqual([
      {
        backend: 'default',
        name: 'mail',
        pausedAt: first.at,
        pausedUntil: until,
        pauseReason: 'provider down – 障害',
      },
    ])

    await pauseQueue('mail')
    await pauseQueue('default', { backend: 'default' })
    expect(await backend().pausedQueues()).toMatchObject([
      { queue: 'default' },
      { queue: 'mail', until: null, reason: null },
    ])

    expect(await resumeQueue('mail')).toBe(true)
    expect(await resumeQueue('mail')).toBe(false)
    expect(await pausedQueues()).toMatchObject([{ queue: 'default' }])
  })

  it('refuses what is no queue of the settings, and wrong options', async () => {
    const refused = { name: InvalidSettingsError.name }
    await expect(backend().pauseQueue('mial')).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /'mial' is not in QUEUES of TASKS\.default .* Did you mean "mail"\?/,
      ) as string,
    })
    await expect(backend().resumeQueue('mial')).rejects.toMatchObject(refused)
    await expect(backend().pauseQueue('a b')).rejects.toMatchObject(refused)
    await expect(backend().pauseQueue('mail', { reason: 'x'.repeat(201) })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('expected 1 to 200 printable characters') as string,
    })
    await expect(backend().pauseQueue('mail', { until: new Date(0) })).rejects.toMatchObject(
      refused,
    )
    expect(await pauses().count()).toBe(0)
  })

  it('names the line to add where the entity is not listed', async () => {
    const other = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configure(other)
    const lacking = {
      name: NotSupportedError.name,
      hint: expect.stringContaining('entities: [User, ...taskEntities]') as string,
    }

    await expect(backend().pauseQueue('mail')).rejects.toMatchObject(lacking)
    await expect(backend().resumeQueue('mail')).rejects.toMatchObject(lacking)
    await expect(backend().pausedQueues()).rejects.toMatchObject(lacking)
    await mail.enqueue('without')
    await runUntilEmpty({ queues: '*' })
    expect(ran).toEqual(['without'])
  })

  it('a pause that is rolled back was none, and one that is committed stands', async () => {
    const broken = atomic(dataSource, async () => {
      await backend().pauseQueue('mail')
      throw new RangeError('no')
    })
    await expect(broken).rejects.toThrow('no')
    expect(await backend().pausedQueues()).toEqual([])

    await atomic(dataSource, async () => {
      await backend().pauseQueue('mail')
      await mail.enqueue('later')
    })
    expect(await backend().pausedQueues()).toMatchObject([{ queue: 'mail' }])
  })

  it('a batch leaves paused queues alone from its first claim on, and ends', async () => {
    await backend().pauseQueue('mail', { reason: 'provider down' })
    await mail.enqueueMany([['a'], ['b']])
    await note.enqueue('c')

    await runUntilEmpty({ queues: ['default', 'mail'] })
    await runUntilEmpty({ queues: '*' })
    await runUntilEmpty({ queues: '*', excludeQueues: ['default'] })
    await runUntilEmpty({ queues: ['mail'] })
    expect(ran).toEqual(['c'])
    expect(told('Queue mail is paused since')).toBe(true)
    expect(told('Paused, so not served by this batch: mail.')).toBe(true)

    await backend().resumeQueue('mail')
    await runUntilEmpty({ queues: ['mail'] })
    expect(ran.toSorted()).toEqual(['a', 'b', 'c'])
  })

  it.each([
    ['at once, where it is told', true],
    ['by looking, where it is not', false],
  ])(
    'a worker hears of a pause, and of its end, %s',
    async (_, isTold) => {
      await start()
      await note.enqueue('first')
      await until(() => ran.includes('first'))
      const row = { backend: 'default', name: 'mail', pausedUntil: null, pauseReason: null }
      const pause = () =>
        isTold
          ? backend().pauseQueue('mail')
          : pauses().insert({ ...row, pausedAt: new Date(Date.now() - 1_000) })
      const resume = () =>
        isTold ? backend().resumeQueue('mail') : pauses().delete({ name: 'mail' })

      const pausedIn = await changed(pause, 'Queue mail is paused since')
      await mail.enqueue('waits')
      await note.enqueue('goes on')
      await until(() => ran.includes('goes on'))
      await sleep(500)
      expect(ran).toEqual(['first', 'goes on'])

      const resumedIn = await changed(resume, 'Queue mail is paused no more')
      await until(() => ran.includes('waits'))
      process.stdout.write(
        `${database.name}: paused within ${pausedIn} ms, resumed within ${resumedIn} ms (${isTold ? 'told' : 'looking'})\n`,
      )
    },
    60_000,
  )

  it('what runs goes on, and what was claimed ahead is given back', async () => {
    await mail.enqueueMany(Array.from({ length: 400 }, () => ['before']))
    await slow.enqueue('runs', 900)
    await mail.enqueueMany(Array.from({ length: 400 }, () => ['after']))
    await start({ concurrency: 1 })
    await until(() => begun)
    const held = await rows().countBy({ status: 'RUNNING' })
    await backend().pauseQueue('mail')
    await until(() => ran.includes('runs'))
    await sleep(300)

    expect(ran.indexOf('runs')).toBe(400)
    expect(ran).toHaveLength(401)
    expect(await rows().countBy({ status: 'RUNNING' })).toBe(0)
    const left = await rows().findBy({ status: 'READY' })
    expect(left).toHaveLength(400)
    expect(left.every(({ workerIds }) => workerIds.length === 0)).toBe(true)
    process.stdout.write(`${database.name}: ${held} rows were held when the queue was paused\n`)
  }, 60_000)

  it('each task runs once beside pauses that come and go at once', async () => {
    const names = Array.from({ length: 300 }, (_, i) => String(i))
    await mail.enqueueMany(names.map((name) => [name] as [string]))
    const workers = await Promise.all(
      Array.from({ length: 3 }, () => startWorker({ queues: '*', interval: 50, concurrency: 4 })),
    )
    for (let i = 0; i < 200 && ran.length < names.length; i++) {
      await backend().pauseQueue('mail')
      await backend().resumeQueue('mail')
    }
    // Rows that nobody holds would wait for the end of their lease, half a minute.
    const end = performance.now() + 20_000
    while ((await rows().countBy({ status: 'SUCCESSFUL' })) < names.length) {
      if (performance.now() > end) break
      await sleep(50)
    }
    await Promise.all(workers.map((each) => each.stop()))
    expect(ran.toSorted()).toEqual(names.toSorted())
    expect(log.filter(([, line]) => line.includes('lost its worker'))).toEqual([])
  }, 60_000)

  it('a pause with an end ends by itself', async () => {
    await backend().pauseQueue('mail', { until: new Date(Date.now() + 1_500) })
    await start()
    await mail.enqueue('in time')
    await until(() => told('Queue mail is paused since'))
    expect(ran).toEqual([])

    await until(() => ran.includes('in time'))
    expect(await backend().pausedQueues()).toEqual([])
    expect(await backend().resumeQueue('mail')).toBe(false)
  }, 60_000)

  it('with all queues paused nothing is asked of the table of tasks', async () => {
    const statements: string[] = []
    const options = {
      ...dataSource.options,
      logging: ['query'],
      synchronize: false,
    } as DataSourceOptions
    const watched = await new DataSource({
      ...options,
      logger: {
        logQuery: (query: string) => void statements.push(query),
        logQueryError: () => {},
        logQuerySlow: () => {},
        logSchemaBuild: () => {},
        logMigration: () => {},
        log: () => {},
      },
    }).initialize()
    configure(watched)
    for (const queue of QUEUES) await backend().pauseQueue(queue)
    await mail.enqueue('waits')
    await start({ queues: '*', interval: 20 })
    await until(() => told('Queue reports is paused since'))
    await sleep(500)
    statements.length = 0
    await sleep(2_500)

    const claims = statements.filter((sql) => /db_task_result/.test(sql) && /READY/.test(sql))
    expect(claims).toEqual([])
    await worker?.stop()
    await watched.destroy()
    expect(ran).toEqual([])
  }, 60_000)

  it('the last known state holds while the table cannot be read, which is logged once', async () => {
    await backend().pauseQueue('mail')
    await start()
    await until(() => told('Queue mail is paused since'))
    await dataSource.query('DROP TABLE db_task_queue')
    try {
      await mail.enqueue('waits')
      await note.enqueue('goes on')
      await until(() => ran.includes('goes on'))
      await until(() => told('It is not known at present which queues are paused'))
      await sleep(2_500)
      expect(ran).toEqual(['goes on'])
      expect(log.filter(([, line]) => line.includes('not known at present'))).toHaveLength(1)
    } finally {
      await dataSource.synchronize()
    }
    await until(() => ran.includes('waits'))
  }, 60_000)

  if (database.name === 'postgres')
    it('tells and hears by NOTIFY, in a transaction once that is committed', async () => {
      const heard: string[] = []
      const runner = dataSource.createQueryRunner()
      const client = (await runner.connect()) as Listening
      client.on('notification', ({ payload }) => void heard.push(payload))
      await runner.query('LISTEN "tasks:db_task_result"')
      await backend().pauseQueue('mail')
      await atomic(dataSource, async () => {
        await backend().resumeQueue('mail')
        await sleep(100)
        expect(heard).toEqual(['pause mail'])
      })
      await until(() => heard.length === 2)
      await runner.query('UNLISTEN *')
      client.removeAllListeners('notification')
      await runner.release()

      await start()
      await sleep(300)
      await pauses().insert({ backend: 'default', name: 'mail', pausedAt: new Date() })
      const hearing = changed(
        () => dataSource.query(`SELECT pg_notify('tasks:db_task_result', 'pause mail')`),
        'Queue mail is paused since',
      )
      process.stdout.write(`postgres: heard by NOTIFY within ${await hearing} ms\n`)
    }, 60_000)

  /** How long it took until the log said so, in ms. */
  async function changed(change: () => Promise<unknown>, line: string): Promise<number> {
    await change()
    const from = performance.now()
    await until(() => told(line))
    return Math.round(performance.now() - from)
  }
})

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + HEARD_MS
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('It did not happen in time.')
    await sleep(5)
  }
}

/** The driver's client, as far as it is needed here. */
interface Listening {
  on(event: 'notification', listener: (message: { payload: string }) => void): void
  removeAllListeners(event: string): void
}
