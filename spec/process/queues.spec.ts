import { DBTaskQueue } from '#entities'
import { cliApp, type CliApp, until } from '../support/cli-app'

const TASKS = `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 'mail', 'reports'] } }`
const cells = (table: string) =>
  table
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/).join(' | '))

describe('tasks queues', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({ allTables: true, tasks: TASKS })
  })

  it('pauses, lists and resumes queues', async () => {
    await app.enqueue('app.add', [[1], [2]])
    await app.enqueue('app.add', [[3]], { queueName: 'mail' })
    await app.enqueue('app.add', [[4]], {
      queueName: 'mail',
      runAfter: new Date(Date.now() + 3_600_000),
    })
    expect(await app.tasks('queues', 'pause', 'mail', '--reason', 'provider is down')).toEqual({
      code: 0,
      stdout: 'Queue mail is paused.\n',
      stderr: '',
    })
    const timed = await app.tasks('queues', 'pause', 'reports', '--for', '2h', '--json')
    const { until: end } = JSON.parse(timed.stdout) as { until: string }
    expect(Math.abs(Date.parse(end) - Date.now() - 7_200_000)).toBeLessThan(60_000)

    const [table, json] = [await app.tasks('queues'), await app.tasks('queues', 'list', '--json')]
    process.stdout.write(table.stdout)
    const minute = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\dZ`
    expect(cells(table.stdout)).toEqual([
      'queue | due | later | waiting | running | oldest | worker | paused | details',
      expect.stringMatching(/^default \| 2 \| 0 \| 0 \| 0 \| \d+ s \| none \| no$/),
      expect.stringMatching(
        new RegExp(
          `^mail \\| 1 \\| 1 \\| 0 \\| 0 \\| \\d+ s \\| none \\| since ${minute} \\| provider is down$`,
        ),
      ),
      expect.stringMatching(
        new RegExp(
          `^reports \\| 0 \\| 0 \\| 0 \\| 0 \\| none \\| since ${minute} until ${minute}$`,
        ),
      ),
    ])
    expect(JSON.parse(json.stdout)).toMatchObject([
      { name: 'default', paused: null },
      { name: 'mail', due: 1, later: 1, paused: { reason: 'provider is down', until: null } },
      { name: 'reports', paused: { reason: null, until: end } },
    ])

    expect((await app.tasks('queues', 'resume', 'reports')).stdout).toBe(
      'Queue reports is resumed.\n',
    )
    expect((await app.tasks('queues', 'resume', 'reports')).stdout).toBe(
      'Queue reports was not paused.\n',
    )
  }, 120_000)

  it('fits into 80 columns', async () => {
    const env = process.env['COLUMNS']
    process.env['COLUMNS'] = '80'
    const { stdout } = await app.tasks('queues').finally(() => {
      if (env === undefined) delete process.env['COLUMNS']
      else process.env['COLUMNS'] = env
    })

    process.stdout.write(stdout)
    const lines = stdout.trimEnd().split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('a batch of several processes leaves a paused queue alone, and says what it left', async () => {
    const batch = await app.tasks('db_worker', '--batch', '--processes', '2', '--queue-name', '*')
    expect(batch.stderr).toContain('Queue mail is paused since')
    expect(batch.stderr).toContain('(provider is down): its tasks wait.')
    const one = await app.tasks('db_worker', '--batch', '--queue-name', 'mail')
    expect(one).toMatchObject({ code: 0 })
    expect(one.stderr).toContain('Left are task(s) in its queues: 2 in paused queues (mail).')
    const rows = await app.rows()
    expect(rows.map(({ queueName, status }) => `${queueName} ${status}`)).toEqual([
      'default SUCCESSFUL',
      'default SUCCESSFUL',
      'mail READY',
      'mail READY',
    ])
  }, 120_000)

  it('workers of other processes hear of the end of a pause, and of the next one', async () => {
    const worker = app.start(
      'db_worker',
      '--no-startup-delay',
      '--interval',
      '0.2',
      '--queue-name',
      '*',
    )
    await until(
      () => worker.log.includes('Queue mail is paused since'),
      () => worker.log,
    )
    await app.tasks('queues', 'resume', 'mail')
    await until(
      async () => (await app.rows())[2]?.status === 'SUCCESSFUL',
      () => worker.log,
    )
    await app.tasks('queues', 'pause', 'mail', '--reason', 'again')
    await until(
      () => worker.log.includes('(again)'),
      () => worker.log,
    )
    worker.kill('SIGTERM')
    await worker.exited
    expect(await app.dataSource.getRepository(DBTaskQueue).count()).toBe(1)
  }, 120_000)

  it('explains wrong calls', async () => {
    const fails = async (...args: string[]) => (await app.tasks('queues', ...args)).stderr
    expect(await fails('puase')).toContain('Did you mean "pause"?')
    expect(await fails('pause', 'mial')).toContain('Did you mean "mail"?')
    expect(await fails('pause', 'mail', '--for', 'soon')).toContain(
      "argument --for: expected a time such as 30s, 5m, 2h, 1d, got 'soon'.",
    )
    expect(await fails('pause', 'mail', '--reason', 'x'.repeat(201))).toContain(
      'argument --reason: expected 1 to 200 printable characters',
    )
  }, 60_000)

  it('names the line to add where the table is not listed', async () => {
    app.write(
      'one.js',
      `const { DataSource } = require('typeorm')
       const { DBTaskResult } = require('typeorm-tasks')
       exports.dataSource = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', entities: [DBTaskResult] })
       exports.TASKS = ${TASKS}`,
    )

    const paused = await app.tasks('queues', 'pause', 'mail', '-d', 'one.js')
    expect(paused.code).toBe(1)
    expect(paused.stderr).toMatch(
      /^error: The DataSource does not list the entity DBTaskQueue, .*taskEntities/,
    )
    const listed = await app.tasks('queues', '-d', 'one.js')
    expect(listed.code).toBe(0)
    expect(cells(listed.stdout)).toHaveLength(4)
    expect(listed.stderr).toContain('does not list the entity DBTaskQueue')
  })
})
