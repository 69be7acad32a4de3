// PostgreSQL with 10,000,000 finished rows and 1,000,000 READY ones: `node bench/scale.mjs [finished] [ready]`. It takes about
// ten minutes, and 6 GB of disk.
import { createRequire } from 'node:module'
import { hrtime } from 'node:process'
import { grownRows } from './contenders/grown-rows.mjs'
import { optionsOf } from './contenders/data-source.mjs'
import { quantile } from './lib/numbers.mjs'
import { prepare, repository } from './lib/prepare.mjs'
import { Servers } from './servers/index.mjs'

const [finished = 10_000_000, ready = 1_000_000] = process.argv.slice(2).map(Number)
const DRAINED = 60_000
const CLAIMS = 300
const CHUNK = 500_000
prepare()

const require = createRequire(`${repository}/package.json`)
const { DataSource } = require('typeorm')
const { configureTasks, pruneResults, startWorker, task, taskEntities } = require('./dist/index.js')
const { backends } = require('./dist/lib/backend-registry.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')
const work = task('bench.work', () => {})
const filter = { workerId: 'bench', queues: ['default'], excludeQueues: [] }

const record = {
  id: 'bench',
  host: 'bench',
  pid: process.pid,
  version: '0',
  queues: ['default'],
  concurrency: 10,
  running: 0,
  upMs: 0,
  eventLoopDelayMs: 0,
  rssMib: 0,
}

const servers = new Servers()
try {
  await servers.withDatabase('postgres', measure)
} finally {
  await servers.stop()
}

async function measure(address, server) {
  const dataSource = new DataSource({
    ...optionsOf(address),
    entities: taskEntities,
    synchronize: true,
  })
  await dataSource.initialize()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  const empty = await drainedFrom(dataSource, address, server, 0)
  say(`drain of ${DRAINED} on an empty table`, `${Math.round(empty)} a second`)

  const before = await size(dataSource)
  await grown(dataSource, 'finished', finished)
  const bytes = ((await size(dataSource)) - before) / finished
  say('disk for each finished row, indexes included', `${Math.round(bytes)} bytes`)
  await grown(dataSource, 'ready', ready)
  await server.analyse(address)
  await server.settle()

  const backend = backends.get('default')
  const store = await backend.openStore({})
  say(
    'claim of 100 rows, p50 and p99',
    await timesOf(CLAIMS, () => store.exchange([], 100, filter)),
  )
  say(
    'look at the records of workers, p50 and p99',
    await timesOf(50, () => store.heartbeat.beat(record)),
  )
  say(
    'look for rows of lost workers, p50 and p99',
    await timesOf(10, () => store.rescue(() => undefined)),
  )
  say('newest 20 results, p50 and p99', await timesOf(50, () => backend.list({ limit: 20 })))
  say(
    'newest 20 FAILED where there is none, p50 and p99',
    await timesOf(10, () => backend.list({ limit: 20, status: 'FAILED' })),
  )
  await store.close()

  const drained = await drainedFrom(dataSource, address, server, ready)
  say(
    `drain of ${DRAINED} of them`,
    `${Math.round(drained)} a second, ${(drained / empty).toFixed(2)} × empty`,
  )
  const old = Math.min(200_000, finished / 10)
  await dataSource.query(
    `UPDATE db_task_result SET finished_at = finished_at - INTERVAL '30 days' WHERE id IN (SELECT id FROM db_task_result WHERE status = 'SUCCESSFUL' ORDER BY id LIMIT ${old})`,
  )
  const [ms, pruned] = await took(() => pruneResults({ queues: '*' }))
  say('prune of the oldest', `${pruned} rows, ${Math.round((1000 * pruned) / ms)} a second`)
  await dataSource.destroy()
}

async function grown(dataSource, kind, count) {
  for (let left = count; left > 0; left -= CHUNK)
    for (const sql of grownRows('postgres', kind, Math.min(left, CHUNK)))
      await dataSource.query(sql)
}

/** Tasks a second of one worker, until so many have run; where there are none, they are enqueued first. */
async function drainedFrom(dataSource, address, server, present) {
  if (present === 0) {
    const calls = Array.from({ length: 1_000 }, () => [])
    for (let left = DRAINED; left > 0; left -= 1_000) await work.enqueueMany(calls)
    await server.analyse(address)
    await server.settle()
  }
  const begun = hrtime.bigint()
  const worker = await startWorker({ concurrency: 800, maxTasks: DRAINED, startupDelay: 0 })
  await worker.finished
  return DRAINED / (Number(hrtime.bigint() - begun) / 1e9)
}

async function size(dataSource) {
  const [{ n }] = await dataSource.query("SELECT pg_total_relation_size('db_task_result') AS n")
  return Number(n)
}

async function took(run) {
  const begun = performance.now()
  const result = await run()
  return [performance.now() - begun, result]
}

async function timesOf(count, run) {
  const times = []
  for (let i = 0; i < count; i++) times.push((await took(run))[0])
  return `${quantile(times, 0.5).toFixed(2)}, ${quantile(times, 0.99).toFixed(2)} ms`
}

function say(what, value) {
  process.stdout.write(`| ${what} | ${value} |\n`)
}
