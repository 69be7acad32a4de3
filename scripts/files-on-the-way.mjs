// Which files of `dist` run for one task, by V8's precise coverage: node scripts/files-on-the-way.mjs
//   (a) a warm enqueue: not the first one of the process, so nothing is loaded or prepared any more;
//   (b) claim, run and finish of one task that succeeds, by a worker that has run some before.
// Needs a build. Takes the PostgreSQL of DATABASE_URL (its table db_task_result is made anew), else starts a server that
// is thrown away; `--sqlite` uses a file in place of it. `--dist <folder>` looks at another build, to compare two.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values: given } = parseArgs({
  options: { sqlite: { type: 'boolean', default: false }, dist: { type: 'string' } },
})
const repository = fileURLToPath(new URL('..', import.meta.url))
const dist = resolve(given.dist ?? join(repository, 'dist'))
/** Enqueues, and tasks that a worker has run, before anything is counted. */
const WARM = 20
const RUNS = 10

const inspector = new Session()
inspector.connect()
await inspector.post('Profiler.enable')
await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

const require = createRequire(join(dist, 'index.js'))
require('reflect-metadata')
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult, startWorker, task } = require(dist)
const { DatabaseBackend } = require(join(dist, 'backends/database'))

const { options, close } = await database()
const dataSource = new DataSource({
  ...options,
  entities: [DBTaskResult],
  dropSchema: true,
  synchronize: true,
})
await dataSource.initialize()
try {
  configureTasks({
    default: {
      BACKEND: DatabaseBackend,
      OPTIONS: { dataSource },
    },
  })
  const add = task('files.add', (a, b) => a + b)
  print('one warm enqueue', await enqueued(add))
  print('claim, run and finish of one task', await run())
} finally {
  await dataSource.destroy()
  await close()
}

async function enqueued(add) {
  for (let i = 0; i < WARM; i++) await add.enqueue(i, 1)
  // Far enough from the last one that workers are notified, as they are of a row that comes alone.
  await sleep(100)
  await called()
  await add.enqueue(1, 2)
  return called()
}

/** What ran in each of several runs: a chore that happened to fall into one of them does not count. */
async function run() {
  const worker = await startWorker({ interval: 50 })
  await until(() => count("status = 'SUCCESSFUL'"), WARM + 1)
  const runs = []
  for (let i = 0; i < RUNS; i++) runs.push(await oneRun())
  await worker.stop()
  const [first, ...others] = runs
  return first.filter((file) => others.every((files) => files.includes(file)))
}

/** The row is made READY again by SQL alone, so that nothing of an enqueue is counted. */
async function oneRun() {
  await sleep(200)
  const [{ id }] = await dataSource.query('SELECT id FROM db_task_result LIMIT 1')
  await called()
  await dataSource.query(
    `UPDATE db_task_result SET status = 'READY', finished_at = NULL, started_at = NULL, worker_ids = '[]' WHERE id = '${id}'`,
  )
  await until(() => count("status = 'SUCCESSFUL'"), WARM + 1)
  return called()
}

/** Files of `dist` with a function that was called since this was asked last, in the order of their names. */
async function called() {
  const { result } = await inspector.post('Profiler.takePreciseCoverage')
  return result
    .filter(
      ({ url, functions }) => url.startsWith(pathToFileURL(dist).href) && functions.some(isCalled),
    )
    .map(({ url }) => relative(dist, fileURLToPath(url)))
    .toSorted()
}

function isCalled({ ranges: [whole] }) {
  return whole.count > 0
}

async function count(condition) {
  const [{ n }] = await dataSource.query(
    `SELECT count(*) AS n FROM db_task_result WHERE ${condition}`,
  )
  return Number(n)
}

async function until(ask, wanted) {
  for (const deadline = Date.now() + 30_000; (await ask()) !== wanted; await sleep(5))
    if (Date.now() > deadline) throw new Error('The worker has not run what was enqueued.')
}

/** Options of a DataSource, and how to throw its database away. */
async function database() {
  if (given.sqlite) {
    const folder = mkdtempSync(join(tmpdir(), 'tasks-files-'))
    return {
      options: { type: 'better-sqlite3', database: join(folder, 'db.sqlite'), enableWAL: true },
      close: async () => rmSync(folder, { recursive: true, force: true }),
    }
  }
  const url = process.env.DATABASE_URL
  if (url !== undefined) return { options: { type: 'postgres', url }, close: async () => {} }
  const { startPostgres } = await import('../bench/servers/postgres.mjs')
  const server = await startPostgres()
  const { user, ...address } = await server.fresh()
  return { options: { ...address, username: user }, close: () => server.stop() }
}

function print(what, files) {
  console.log(`${what}: ${files.length} files`)
  for (const file of files) console.log(`  ${file}`)
}
