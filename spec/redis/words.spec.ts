import { randomUUID } from 'node:crypto'
import { configureTasks } from 'typeorm-tasks'
import { backends } from '#backend-registry'
import { BullMQBackend } from '../../backends/bullmq'
import { type CliApp, cliApp, tasksIn, type Told } from '../support/cli-app'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { startRedis } from '../support/servers/redis'
import { appOf } from '../support/temp-app'

const QUEUES = ['default', 'mail']
const UNREACHABLE = 'redis://127.0.0.1:1'

const tasksText = (connection: string, prefix: string): string => `{
  default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 'mail'] },
  fast: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['default', 'mail', 'images'], OPTIONS: { connection: '${connection}', prefix: '${prefix}' } },
}`
const OTHERS = 'Shown is TASKS.default. Others: --backend fast.\n'

const WORK = ['db_worker', '--backend', 'fast', '--batch', '--data-source', 'app.js']

/** An app with tasks on Redis only. */
function redisApp(connection: string): string {
  return appOf(
    {
      'tasks.js': "require('typeorm-tasks').task('app.one', () => 1)",
      'app.js': `exports.TASKS = { fast: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['default', 'mail'], OPTIONS: { connection: '${connection}' } } }`,
    },
    { 'typeorm-tasks': '..' },
  )
}

/** Commands are read in terminals: what they say in one line has room there. */
function expectFits({ stdout, stderr }: Told): void {
  for (const line of `${stdout}${stderr}`.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
}

describeOnRedis('commands of an app with tasks in a table and on Redis', () => {
  let app: CliApp
  let [inTable, onRedis] = ['', '']

  beforeAll(async () => {
    const prefix = freshPrefix()
    app = await cliApp({ tasks: tasksText(redisUrl(), prefix), allTables: true })
    configureTasks({
      fast: { BACKEND: BullMQBackend, QUEUES, OPTIONS: { connection: redisUrl(), prefix } },
    })
    const enqueued = async (...more: string[]): Promise<string> =>
      (await app.tasks('enqueue', 'app.fail', '[]', ...more)).stdout.trim()
    ;[inTable, onRedis] = [await enqueued(), await enqueued('--backend', 'fast')]
  })
  afterAll(() => backends.get('fast').close())

  it('results show finds an id wherever it is, and says where', async () => {
    for (const [id, alias] of [
      [inTable, 'default'],
      [onRedis, 'fast'],
    ] as const) {
      const told = await app.tasks('results', 'show', id)
      expect([told.code, told.stderr]).toEqual([0, ''])
      expect(told.stdout).toMatch(new RegExp(`^backend(_name)?: ${alias}$`, 'm'))
      expect((await app.tasks('results', id)).stdout).toContain(id)
    }
    const told = await app.tasks('results', 'show', inTable, '--backend', 'fast')
    expect([told.code, told.stderr]).toEqual([1, expect.stringContaining('No task result has')])
  })

  it('results retry and cancel do so, too', async () => {
    await app.tasks('db_worker', '--backend', 'fast', '--batch')
    expect((await app.tasks('results', 'retry', onRedis)).stdout).toMatch(
      `Task id=${onRedis} path=app.fail backend=fast is READY again in queue default`,
    )
    expect((await app.tasks('results', 'cancel', onRedis)).stdout).toBe(
      `Task id=${onRedis} path=app.fail backend=fast is cancelled, and will not run.\n`,
    )
    expect((await app.tasks('results', 'cancel', inTable)).stdout).toMatch(/ backend=default is /)
  })

  it('an id that none has is told of all', async () => {
    const id = randomUUID()
    expect((await app.tasks('results', 'show', id)).stderr).toBe(
      `error: No task result of TASKS.default, TASKS.fast has the id "${id}". Check the id; finished results disappear when they are pruned.\n`,
    )
    expect((await app.tasks('results', 'shwo')).stderr).toContain('Did you mean "show"?')
  })

  it('lists say which backend they show, and name the others', async () => {
    for (const command of [['results'], ['results', '--json'], ['queues'], ['workers']]) {
      const told = await app.tasks(...command)
      expect([told.code, told.stderr]).toEqual([0, OTHERS])
      expect((await app.tasks(...command, '--backend', 'fast')).stderr).toBe('')
    }
    expect((await app.tasks('results')).stdout).not.toContain(onRedis)
    const pruned = await app.tasks('prune_db_task_results', '--dry-run')
    expect(pruned.stderr).toBe('This was TASKS.default. Others: --backend fast.\n')
    expectFits(pruned)
  })

  it('queues pause and resume say which backend it was, and which are as they were', async () => {
    const paused = await app.tasks('queues', 'pause', 'mail')
    expectFits(paused)
    expect([paused.stdout, paused.stderr]).toEqual([
      'Queue mail of TASKS.default is paused.\n',
      'Other queues of this name are as they were: --backend fast.\n',
    ])
    expect((await app.tasks('queues', 'resume', 'mail', '--backend', 'fast')).stdout).toBe(
      'Queue mail of TASKS.fast was not paused.\n',
    )
    const resumed = await app.tasks('queues', 'resume', 'mail')
    expect(resumed.stdout).toBe('Queue mail of TASKS.default is resumed.\n')
    const images = await app.tasks('queues', 'pause', 'images')
    expect([images.stdout, images.stderr]).toEqual(['Queue images of TASKS.fast is paused.\n', ''])
    expect((await app.tasks('queues', 'pause', 'imges')).code).toBe(1)
  })

  it('a worker says in one short line that this Redis keeps nothing, and check says all', async () => {
    const server = await startRedis({})
    const root = redisApp(server.url)
    try {
      const told = await tasksIn(root, ...WORK)
      const warnings = told.stderr.split('\n').filter((line) => line.includes('lose'))
      expect(warnings).toEqual([
        'Redis (TASKS.fast) may lose tasks when it stops: npx tasks check says why.',
      ])
      const check = await tasksIn(root, 'check', '--data-source', 'app.js')
      expect(check.stderr).toContain('appendfsync everysec')
    } finally {
      await server.stop()
    }
  })

  it('what is wrong comes before what is not served', async () => {
    const sound = await app.tasks('db_worker', '--backend', 'fast', '--batch')
    expect(sound.stderr).toContain('The queues mail, images of TASKS.fast are not served')
    const { code, stderr } = await tasksIn(redisApp(UNREACHABLE), ...WORK)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: Redis \(TASKS\.fast\) cannot be reached: /m)
    expect(stderr).not.toContain('not served')
  })

  it('an id that is in the table is found though Redis is away; one that is not, tells of Redis', async () => {
    app.write(
      'away.js',
      `exports.dataSource = require('./ormconfig.js').dataSource\nexports.TASKS = ${tasksText(UNREACHABLE, 'shop')}`,
    )
    const show = (id: string) => app.tasks('results', 'show', id, '--data-source', 'away.js')
    expect((await show(inTable)).code).toBe(0)
    const { code, stderr } = await show(onRedis)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^No other backend of TASKS .*\nerror: Redis \(TASKS\.fast\) cannot be reached: /,
      ),
    ])
  })
})
