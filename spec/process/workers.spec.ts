import { hostname } from 'node:os'
import { DBTaskWorker } from '#entities'
import { cliApp, type CliApp, until } from '../support/cli-app'

const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.1', '--worker-id']

describe('tasks workers', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({ allTables: true })
  })

  it('lists the workers that are at work and those that are gone, and forgets one that has ended', async () => {
    expect(await app.tasks('workers')).toEqual({ code: 0, stdout: 'No workers.\n', stderr: '' })
    const records = app.dataSource.getRepository(DBTaskWorker)
    const [stays, ends] = [
      app.start(...WORKER, 'stays', '--queue-name', '*', '--exclude-queues', 'mail'),
      app.start(...WORKER, 'ends'),
    ]
    await until(
      async () => (await records.count()) === 2,
      () => 'two records',
    )
    const lost = {
      backend: 'other',
      host: 'elsewhere',
      pid: 7,
      version: '0.0.9',
      queues: ['default'],
      concurrency: 5,
      running: 2,
      eventLoopDelayMs: 250,
      rssMib: 99,
      leaseMs: 30_000,
    }
    const anHourAgo = new Date(Date.now() - 3_600_000)
    await records.insert({ ...lost, id: 'lost', startedAt: anHourAgo, seenAt: anHourAgo })
    ends.kill('SIGTERM')
    await ends.exited

    const [table, one, json] = await Promise.all([
      app.tasks('workers'),
      app.tasks('workers', '--backend', 'default', '--json'),
      app.tasks('workers', '--json'),
    ])
    stays.kill('SIGTERM')

    const lines = table.stdout.trimEnd().split('\n')
    const cells = lines.map((line) => line.trim().split(/ {2,}/).join(' | '))
    expect(cells).toEqual([
      'id | state | host | pid | version | backend | queues | running | up | seen | delay | memory',
      'lost | gone | elsewhere | 7 | 0.0.9 | other | default | 2/5 | 60 min | 60 min ago | 250 ms | 99 MiB',
      expect.stringMatching(
        /^stays\/\w{8} \| running \| \S+ \| \d+ \| 0\.1\.0 \| default \| \*,-mail \| 0\/10 \| \d+ s \| \d+ s ago \| \d+ ms \| \d+ MiB$/,
      ),
    ])
    expect(JSON.parse(json.stdout)).toMatchObject([
      { ...lost, id: 'lost', state: 'gone', seenAt: anHourAgo.toISOString() },
      { host: hostname(), queues: ['*', '-mail'], state: 'running' },
    ])
    expect(JSON.parse(one.stdout)).toHaveLength(1)
    await stays.exited
    expect((await records.find()).map(({ id }) => id)).toEqual(['lost'])
  })

  it('fits into 80 columns', async () => {
    const env = process.env['COLUMNS']
    process.env['COLUMNS'] = '80'
    const { stdout } = await app.tasks('workers').finally(() => {
      if (env === undefined) delete process.env['COLUMNS']
      else process.env['COLUMNS'] = env
    })

    const lines = stdout.trimEnd().split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines[0]).toMatch(/^id +state +host +pid +.*seen/)
  })

  it('names the line to add where the table is not listed', async () => {
    app.write(
      'one.js',
      `const { DataSource } = require('typeorm')
       const { DBTaskResult } = require('typeorm-tasks')
       exports.dataSource = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', entities: [DBTaskResult] })
       exports.TASKS = { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] } }`,
    )

    expect(await app.tasks('workers', '-d', 'one.js')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: The DataSource does not list the entity DBTaskWorker, so workers have no records. Add it: `entities: [User, ...taskEntities]`, with `taskEntities` from "typeorm-tasks"; then run `npx tasks makemigrations` and the migration.\n',
    })
  })
})
