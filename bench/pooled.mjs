// Many worker processes with few tasks each, on PostgreSQL behind PgBouncer (transaction pooling): `node bench/pooled.mjs
// [workers]`. 50 workers take about six minutes and 4 GB of memory, and write their section of SCALE.md; fewer do so with --write.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { optionsOf } from './contenders/data-source.mjs'
import { makeApp } from './lib/app.mjs'
import { cpuOf } from './lib/cpu.mjs'
import { prepare, nodeProgram, repository } from './lib/prepare.mjs'
import { line, machine, number, sectionOf, writeSection } from './lib/scale-report.mjs'
import { Servers } from './servers/index.mjs'
import { startPgBouncer } from './servers/pgbouncer.mjs'

const count = Number(process.argv.slice(2).find((arg) => !arg.startsWith('-')) ?? 50)
const isWhole = count >= 50
/** Connections of the pooler to the server, at most. */
const POOL = 20
const AT_ONCE = 5
const RATE = 200
/** A worker looks for rows of lost workers every ten seconds during its first two leases; then the table of workers says when. */
const [SETTLE_S, IDLE_S, BUSY_S] = isWhole ? [65, 30, 30] : [5, 10, 10]
/** Statements of an idle worker a second: a claim each second, and a tenth for chores. */
const IDLE_STATEMENTS = 1.15
const TASK = `task('bench.pooled', () => new Promise((resolve) => setTimeout(resolve, 5)))`
const begun = machine()
const started = performance.now()
prepare()

const require = createRequire(`${repository}/package.json`)
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult, remoteTask, taskEntities } = require('./dist/index.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')
const work = remoteTask('bench.pooled')
/** By what it is: the values with the table of workers, and without it. */
const measured = new Map()

const servers = new Servers()
const server = await servers.get('postgres')
const bouncer = await startPgBouncer(server, POOL)
try {
  for (const hasTable of [true, false])
    await servers.withDatabase('postgres', (address) => measure(address, hasTable))
} finally {
  await bouncer.stop()
  await servers.stop()
}
const notes = [
  `${count} processes \`db_worker\` with default settings, PgBouncer with \`pool_mode = transaction\` and \`default_pool_size = ${POOL}\`, \`node bench/pooled.mjs\`. Idle for ${IDLE_S} s, then ${RATE} tasks a second for ${BUSY_S} s, each enqueued alone, through the pooler too, and each waiting for 5 ms. CPU of the server and the pooler includes the enqueues. LISTEN does not reach through such a pooler: workers find tasks by polling. Each value is with the table of workers / without it.`,
]
const minutes = (performance.now() - started) / 60_000
const versions = [
  `PostgreSQL ${server.version}`,
  bouncer.version,
  `Node ${process.versions.node} (workers: the pinned one)`,
]
const text = sectionOf(linesOf(), { begun, versions, minutes, notes })
process.stdout.write(`\n${text}\n`)
if (isWhole || process.argv.includes('--write')) writeSection('pooled', text)

async function measure(address, hasTable) {
  const pooled = { ...address, port: bouncer.port }
  const entities = hasTable ? taskEntities : [DBTaskResult]
  const dataSource = await new DataSource({
    ...optionsOf(pooled),
    entities,
    synchronize: true,
  }).initialize()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  const app = makeApp(pooled, {
    entities: hasTable ? 'taskEntities' : '[DBTaskResult]',
    tasks: TASK,
  })
  const workers = []
  try {
    for (let at = 0; at < count; at += AT_ONCE)
      await start(workers, app, Math.min(AT_ONCE, count - at))
    await sleep(SETTLE_S * 1_000)
    await idle(address, workers)
    await busy(address, workers)
  } finally {
    await stop(workers)
    await dataSource.destroy()
    rmSync(app, { recursive: true, force: true })
  }
}

async function idle(address, workers) {
  const { rates, most } = await during(address, workers, () => sleep(IDLE_S * 1_000))
  const say = sayer('idle')
  say('connections at the pooler', most.clients)
  say('connections at the server, most', most.connections)
  say('statements a second, each worker', rates.statements / count, '', { most: IDLE_STATEMENTS })
  sayCpu(say, rates)
  say('memory of all workers', memoryOf(workers), 'MiB')
}

async function busy(address, workers) {
  const { rates, most } = await during(address, workers, enqueue)
  const say = sayer(`${RATE} tasks a second`)
  const total = RATE * BUSY_S
  await finished(address, total)
  say('connections at the pooler', most.clients)
  say('connections at the server, most', most.connections)
  say('statements a second', rates.statements)
  sayCpu(say, rates)
  say('memory of all workers', memoryOf(workers), 'MiB')
  const [lag] = await server.query(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99
     FROM (SELECT extract(epoch FROM started_at - enqueued_at) * 1000 AS ms FROM db_task_result) AS lags`,
    address.database,
  )
  say('from the enqueue to the claim, p50', Number(lag.p50), 'ms')
  say('… p99', Number(lag.p99), 'ms')
}

/** At an even rate, however long each takes. */
async function enqueue() {
  const from = performance.now()
  const under = new Set()
  for (let sent = 0; sent < RATE * BUSY_S; sent++) {
    const due = from + (sent * 1_000) / RATE
    if (due > performance.now()) await sleep(due - performance.now())
    const one = work.enqueue().finally(() => under.delete(one))
    under.add(one)
  }
  await Promise.all(under)
}

async function finished({ database }, total) {
  const sql = `SELECT count(*) AS n FROM db_task_result WHERE status = 'SUCCESSFUL'`
  for (let tries = 0; tries < 300; tries++) {
    if (Number((await server.query(sql, database))[0].n) === total) return
    await sleep(100)
  }
  throw new Error(`Not all of ${total} tasks have finished after 30 s.`)
}

/** What was used each second while `run` took its time, and the most connections that there were. */
async function during({ database }, workers, run) {
  const use = async () => ({
    at: performance.now(),
    server: cpuOf(server.pid),
    pooler: cpuOf(bouncer.pid),
    workers: workers.reduce((sum, { child }) => sum + cpuOf(child.pid), 0),
    statements: (await bouncer.ask('SHOW STATS_TOTALS'))
      .filter((row) => row.database === database)
      .reduce((sum, row) => sum + Number(row.query_count), 0),
  })
  const most = { clients: 0, connections: 0 }
  let isOver = false
  const watched = (async () => {
    for (; !isOver; await sleep(500)) {
      const { clients, connections } = await connectionsOf(database)
      most.clients = Math.max(most.clients, clients)
      most.connections = Math.max(most.connections, connections)
    }
  })()
  const before = await use()
  await run()
  const after = await use()
  isOver = true
  await watched
  const seconds = (after.at - before.at) / 1_000
  const rates = Object.fromEntries(
    Object.keys(before).map((key) => [key, (after[key] - before[key]) / seconds]),
  )
  return { rates, most }
}

async function connectionsOf(database) {
  const pools = (await bouncer.ask('SHOW POOLS')).filter((row) => row.database === database)
  const sum = (...keys) =>
    pools.reduce((all, row) => all + keys.reduce((one, key) => one + Number(row[key] ?? 0), 0), 0)
  return {
    clients: sum('cl_active', 'cl_waiting'),
    connections: sum('sv_active', 'sv_idle', 'sv_used', 'sv_tested', 'sv_login'),
  }
}

async function start(workers, app, more) {
  const batch = Array.from({ length: more }, () => {
    const child = spawn(
      nodeProgram(),
      [join(repository, 'dist/cli/index.js'), 'db_worker', '-d', join(app, 'ormconfig.js')],
      { cwd: app, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const worker = { child, words: '' }
    child.stderr.on('data', (text) => (worker.words = (worker.words + text).slice(-4_000)))
    return worker
  })
  workers.push(...batch)
  for (const worker of batch)
    for (let tries = 0; !/start/i.test(worker.words); tries++) {
      if (tries > 600 || worker.child.exitCode !== null)
        throw new Error(`A worker did not start: ${worker.words}`)
      await sleep(50)
    }
}

async function stop(workers) {
  await Promise.all(
    workers.map(async ({ child, words }) => {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await Promise.race([gone, sleep(15_000).then(() => child.kill('SIGKILL'))])
      } else process.stderr.write(`A worker ended by itself: ${words}\n`)
    }),
  )
}

/** MiB; pages that several processes share are counted once. */
function memoryOf(workers) {
  return workers.reduce((sum, { child }) => {
    const file = `/proc/${child.pid}/smaps_rollup`
    const [, kib] = existsSync(file)
      ? (/^Pss:\s+(\d+)/m.exec(readFileSync(file, 'utf8')) ?? [])
      : []
    return sum + Number(kib ?? Number.NaN) / 1_024
  }, 0)
}

function sayCpu(say, rates) {
  say('CPU of the server', rates.server, 's a second')
  say('CPU of the pooler', rates.pooler, 's a second')
  say('CPU of all workers', rates.workers, 's a second')
}

function sayer(part) {
  return (what, value, unit = '', floor = {}) => {
    const key = `${part}: ${what}`
    const known = measured.get(key) ?? { values: [], unit, floor }
    known.values.push(value)
    measured.set(key, known)
    process.stderr.write(`${key}: ${number(value)} ${unit}\n`)
  }
}

/** Both values in one line; the greater one is held against the floor. */
function linesOf() {
  return [...measured].map(([what, { values, unit, floor }]) => {
    const shown = `${values.map((value) => number(value)).join(' / ')} ${unit}`.trim()
    return line(what, Math.max(...values), unit, { ...floor, shown })
  })
}
