import { join } from 'node:path'
import { cliApp, type CliApp } from '../support/cli-app'

let app: CliApp
beforeAll(async () => {
  app = await cliApp()
  app.write(
    'ormconfig.js',
    `
    const { DataSource } = require('typeorm')
    const { taskEntities } = require('typeorm-tasks')
    const source = (database) => new DataSource({ type: 'better-sqlite3', database, enableWAL: true, entities: taskEntities, synchronize: true })
    exports.dataSource = source(${JSON.stringify(join(app.root, 'app.sqlite'))})
    const other = source(${JSON.stringify(join(app.root, 'other.sqlite'))})
    const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
    exports.TASKS = {
      default: {
        BACKEND: 'typeorm-tasks/backends/sharded#ShardedBackend', QUEUES: [],
        OPTIONS: { by: ({ args }) => args[0] ?? 'none', over: ['db1', 'db2'] },
      },
      db1: { BACKEND, QUEUES: [], OPTIONS: { dataSource: exports.dataSource } },
      db2: { BACKEND, QUEUES: [], OPTIONS: { dataSource: async () => other.isInitialized ? other : other.initialize() } },
    }`,
  )
})

it('is served by the workers of its shards: db_worker and prune name them', async () => {
  const hint =
    'TASKS.default is ShardedBackend, whose tasks are kept and run by db1, db2. Name each of them in its place: --backend db1, --backend db2.'
  for (const command of ['db_worker', 'prune_db_task_results']) {
    const { code, stderr } = await app.tasks(command, '--backend', 'default')
    expect([code, stderr]).toEqual([2, expect.stringContaining(hint)])
  }
})

it('enqueues by the command line, and each worker runs its own', async () => {
  const ids: string[] = []
  for (const where of ['db1', 'db2'])
    ids.push((await app.tasks('enqueue', 'app.add', JSON.stringify([where]))).stdout.trim())
  for (const [i, backend] of ['db1', 'db2'].entries()) {
    expect((await app.tasks('db_worker', '--batch', '--backend', backend)).code).toBe(0)
    const { stdout } = await app.tasks('results', '--backend', 'default', ids[i] ?? '')
    expect(stdout).toContain('SUCCESSFUL')
    expect(stdout).toContain(backend)
  }
  const listed = await app.tasks('results', '--backend', 'default', '--json')
  expect((JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id)).toEqual(
    ids.toReversed(),
  )
})

it('has its queues paused on all shards', async () => {
  const states = async (...more: string[]) =>
    JSON.parse((await app.tasks('queues', '--json', ...more)).stdout) as {
      name: string
      paused: unknown
    }[]
  expect((await app.tasks('queues', 'pause', 'mail')).stdout).toBe('Queue mail is paused.\n')
  for (const more of [[], ['--backend', 'db1'], ['--backend', 'db2'], ['--backend', 'default']])
    expect(await states(...more)).toContainEqual(
      expect.objectContaining({ name: 'mail', paused: expect.objectContaining({ queue: 'mail' }) }),
    )
  expect((await app.tasks('queues', 'resume', 'mail')).stdout).toBe('Queue mail is resumed.\n')
  expect((await app.tasks('queues', 'resume', 'mail', '--backend', 'db2')).stdout).toBe(
    'Queue mail of TASKS.db2 was not paused.\n',
  )
})

it('shows all of its shards to who names none, and the workers of each by its name', async () => {
  const ids: string[] = []
  for (const where of ['db1', 'db2'])
    ids.push((await app.tasks('enqueue', 'app.add', JSON.stringify([where]))).stdout.trim())
  const listed = await app.tasks('results', '--json')
  expect(listed.stderr).toBe('')
  for (const id of ids) {
    expect(listed.stdout).toContain(id)
    expect((await app.tasks('results', 'cancel', id)).stdout).toContain('is cancelled')
  }
  const workers = await app.tasks('workers')
  expect([workers.code, workers.stderr]).toEqual([
    0,
    'Shown is TASKS.db1. Others: --backend db2.\n',
  ])
})

it('is checked through its shards, each once', async () => {
  const { code, stdout } = await app.tasks('check')
  expect([code, stdout]).toEqual([0, expect.stringContaining('no issues')])
})
