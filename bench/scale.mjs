// PostgreSQL with 10,000,000 finished rows and 1,000,000 READY ones: `node bench/scale.mjs [finished] [ready]`. It takes about
// ten minutes and 10 GB of disk. The whole size writes its section of SCALE.md; a smaller one does so with --write.
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { grownRows } from './contenders/grown-rows.mjs'
import { optionsOf } from './contenders/data-source.mjs'
import { cpuOf } from './lib/cpu.mjs'
import { median, quantile } from './lib/numbers.mjs'
import { prepare, repository } from './lib/prepare.mjs'
import { line, machine, number, sectionOf, writeSection } from './lib/scale-report.mjs'
import { Servers } from './servers/index.mjs'

const WHOLE = [10_000_000, 1_000_000]
const numbers = process.argv.slice(2).filter((arg) => !arg.startsWith('-'))
const [finished, ready] = WHOLE.map((whole, at) => Number(numbers[at] ?? whole))
const isWhole = finished >= WHOLE[0] && ready >= WHOLE[1]
const ROUNDS = 3
/** Of a drain the first third is warm-up, and not counted. */
const DRAINED = Math.min(150_000, Math.floor(ready / (ROUNDS + 3) / 3) * 3)
const WARM = DRAINED / 3
const CONCURRENCY = 800
const CHUNK = 500_000
const WITHIN = 20_000
const LOST = 1_000
const CALLERS = 20
const SINGLES = Math.floor(DRAINED / 30 / CALLERS) * CALLERS
const DAY = 86_400_000
const begun = machine()
const started = performance.now()
prepare()

const require = createRequire(`${repository}/package.json`)
const { DataSource } = require('typeorm')
const { configureTasks, pruneResults, startWorker, task, taskEntities } = require('./dist/index.js')
const { backends } = require('./dist/lib/backend-registry.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')

/** @type {() => unknown} */
let onRun = () => {}
let lookMs = 0
const work = task('bench.work', () => onRun())
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
const lines = []

const servers = new Servers()
try {
  await servers.withDatabase('postgres', (full, server) =>
    servers.withDatabase('postgres', (empty) => measure(server, { full, empty })),
  )
} finally {
  await servers.stop()
}

async function measure(server, addresses) {
  const { full, empty } = await opened(addresses)
  await fill(full, server)
  await claims()
  await lists()
  await drains(server, { full, empty })
  await rescue()
  await prune(full)
  await Promise.all([full, empty].map(({ dataSource }) => dataSource.destroy()))

  const minutes = (performance.now() - started) / 60_000
  const notes = [
    `${number(finished)} finished rows and ${number(ready)} READY ones, \`node bench/scale.mjs\`. The empty table is another one on the same server; both drains run in turns, ${ROUNDS} each, of ${number(DRAINED)} tasks that do nothing, by one worker with a concurrency of ${CONCURRENCY}; the first third is not counted. Medians.`,
  ]
  const versions = [`PostgreSQL ${server.version}`, `Node ${process.versions.node}`]
  const text = sectionOf(lines, { begun, versions, minutes, notes })
  process.stdout.write(`\n${text}\n`)
  if (isWhole || process.argv.includes('--write')) writeSection('scale', text)
}

/** Both tables, each a backend of its own. */
async function opened(addresses) {
  const places = {}
  for (const [name, address] of Object.entries(addresses)) {
    const options = { ...optionsOf(address), entities: taskEntities, synchronize: true }
    const dataSource = await new DataSource(options).initialize()
    places[name] = { name, address, dataSource }
  }
  const backendOn = ({ dataSource }) => ({ BACKEND: DatabaseBackend, OPTIONS: { dataSource } })
  configureTasks({ default: backendOn(places.full), empty: backendOn(places.empty) })
  return places
}

async function fill({ dataSource, address }, server) {
  const before = await sizes(dataSource)
  // Ids in the order in which the rows are written, as those of an app are.
  await grow(dataSource, 'finished', finished, Date.now() - DAY - finished)
  const after = await sizes(dataSource)
  const each = (key) => (after[key] - before[key]) / finished
  say('disk for each finished row: table', each('table'), 'bytes')
  say('… indexes', each('indexes'), 'bytes')
  await grow(dataSource, 'ready', ready, Date.now() - ready)
  await server.analyse(address)
  await server.settle()
}

async function claims() {
  const store = await backends.get('default').openStore({})
  const rows = []
  const exchange = async () => rows.push(...(await store.exchange([], 100, filter)).claimed)
  const count = Math.min(1_000, Math.floor(ready / 1_000))
  await timesOf(10, exchange)
  const times = await timesOf(count, exchange)
  say('claim of 100 rows, p50', quantile(times, 0.5), 'ms')
  say('… p99', quantile(times, 0.99), 'ms', { most: 10 })
  for (let at = 0; at < rows.length; at += 1_000) await store.release(rows.slice(at, at + 1_000))

  const beats = await timesOf(200, () => store.heartbeat.beat(record))
  say(
    'look for dead workers, by their table, with the heartbeat: p50',
    quantile(beats, 0.5),
    'ms',
    {
      most: 5,
    },
  )
  say('… p99', quantile(beats, 0.99), 'ms')
  const looks = await timesOf(5, () => store.rescue(() => undefined))
  lookMs = median(looks)
  say('look for rows of lost workers, if one was lost, and every five minutes', lookMs, 'ms')
  await store.heartbeat.leave(record.id)
  await store.close()
}

async function lists() {
  const backend = backends.get('default')
  const asked = async (what, run, floor) => say(what, median(await timesOf(20, run)), 'ms', floor)
  await asked('newest 20 results', () => backend.list({ limit: 20 }))
  const bounded = { limit: 20, within: WITHIN }
  const within = `within the newest ${number(WITHIN)}`
  await asked(
    `newest 20 FAILED where there are none, ${within}`,
    () => backend.list({ ...bounded, status: 'FAILED' }),
    { most: 50 },
  )
  await asked(
    `newest 20 of a task that there is none of, ${within}`,
    () => backend.list({ ...bounded, taskName: 'bench.none', queues: ['default'] }),
    { most: 50 },
  )
  await asked(`results in each status, ${within}`, () => backend.counts({ within: WITHIN }))
  const whole = await timesOf(2, () => backend.list({ limit: 20, status: 'FAILED' }))
  say('newest 20 FAILED where there are none, in the whole table', median(whole), 'ms')
}

async function drains(server, { full, empty }) {
  const rounds = []
  for (let round = 0; round <= ROUNDS; round++) {
    await empty.dataSource.query('TRUNCATE db_task_result')
    const each = await used(server, empty, enqueueEach, SINGLES)
    await empty.dataSource.query('TRUNCATE db_task_result')
    const enqueued = await used(server, empty, enqueueMany)
    const both = {}
    // Each comes first in turn.
    for (const place of round % 2 === 0 ? [empty, full] : [full, empty])
      both[place.name] = await drained(server, place)
    const { empty: onEmpty, full: onFull } = both
    // The first one warms this process up.
    if (round > 0)
      rounds.push({ each, enqueued, onEmpty, onFull, ratio: onFull.rate / onEmpty.rate })
  }
  sayDrains((read) => median(rounds.map(read)))
}

function sayDrains(of) {
  say(
    'drain, empty table',
    of(({ onEmpty }) => onEmpty.rate),
    'tasks a second',
  )
  say(
    'drain, full table',
    of(({ onFull }) => onFull.rate),
    'tasks a second',
  )
  say(
    '… × empty',
    of(({ ratio }) => ratio),
    '',
    { least: 0.95 },
  )
  for (const name of ['onEmpty', 'onFull'])
    say(
      `server CPU for 1,000 tasks run, ${name === 'onFull' ? 'full' : 'empty'} table`,
      of((round) => round[name].cpu),
      's',
    )
  say(
    `enqueue, ${CALLERS} at a time`,
    of(({ each }) => each.rate),
    'tasks a second',
  )
  say(
    'server CPU for 1,000 tasks enqueued, one a call',
    of(({ each }) => each.cpu),
    's',
  )
  say(
    'enqueueMany, 1,000 a call',
    of(({ enqueued }) => enqueued.rate),
    'tasks a second',
  )
  say(
    'server CPU for 1,000 tasks enqueued, 1,000 a call',
    of(({ enqueued }) => enqueued.cpu),
    's',
  )
  say(
    'WAL for each task enqueued, empty arguments',
    of(({ enqueued }) => enqueued.wal),
    'bytes',
  )
  say(
    'WAL for each task run, empty table',
    of(({ onEmpty }) => onEmpty.wal),
    'bytes',
  )
  say(
    'WAL for each task run, full table',
    of(({ onFull }) => onFull.wal),
    'bytes',
  )
}

/** One task a call, by several callers. */
async function enqueueEach() {
  const one = work.using({ backend: 'empty' })
  const caller = async () => {
    for (let i = 0; i < SINGLES / CALLERS; i++) await one.enqueue()
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return 0
}

async function enqueueMany() {
  const calls = Array.from({ length: 1_000 }, () => [])
  const many = work.using({ backend: 'empty' })
  for (let left = DRAINED; left > 0; left -= 1_000) await many.enqueueMany(calls.slice(0, left))
  return 0
}

/**
 * One worker, until so many have run. Its first tasks last until it has looked for rows of lost workers, as it does after its
 * start: that reads the whole table, and is a measure of its own.
 */
async function drained(server, place) {
  await server.analyse(place.address)
  await server.settle()
  const looked = sleep(500 + 3 * lookMs)
  let runs = 0
  let warm = 0
  let last = 0
  onRun = () => {
    if (++runs === WARM) warm = performance.now()
    if (runs === DRAINED) last = performance.now()
    return runs > CONCURRENCY ? undefined : looked
  }
  const worker = await startWorker({
    backend: place.name === 'full' ? 'default' : 'empty',
    concurrency: CONCURRENCY,
    maxTasks: DRAINED,
    startupDelay: 0,
  })
  await looked
  return used(server, place, async () => {
    await worker.finished
    // Beside a backlog a worker that ends has rows to give back.
    return ((DRAINED - WARM) * 1_000) / (last - warm)
  })
}

/** What the server needed for it, for each task. `run` resolves to its rate, or 0: then it is taken from the whole time. */
async function used(server, { dataSource }, run, count = DRAINED) {
  const [wal, cpu, from] = [await walOf(dataSource), cpuOf(server.pid), performance.now()]
  const rate = (await run()) || (count * 1_000) / (performance.now() - from)
  return {
    rate,
    cpu: ((cpuOf(server.pid) - cpu) * 1_000) / count,
    wal: ((await walOf(dataSource)) - wal) / count,
  }
}

/** Rows of a worker that was lost. */
async function rescue() {
  const lost = await backends.get('default').openStore({ leaseSeconds: 1 })
  // With a lease as workers have it: statements have a third of it, and this one reads the whole table.
  const other = await backends.get('default').openStore({})
  await lost.exchange([], LOST, { ...filter, workerId: 'lost' })
  await sleep(1_500)
  let found = 0
  let looks = 0
  const again = ({ key, claims }) => ({ key, claims, status: 'READY', errors: [], delay: null })
  const from = performance.now()
  for (let many = 1; many > 0; found += many, looks++)
    many = (await other.rescue(again)).released.length
  say(
    `rescue of ${number(found)} rows of a lost worker, by ${looks} looks`,
    performance.now() - from,
    'ms',
  )
  await lost.close()
  await other.close()
}

async function prune({ dataSource }) {
  const old = Math.min(200_000, Math.floor(finished / 10))
  await dataSource.query(
    `UPDATE db_task_result SET finished_at = finished_at - INTERVAL '30 days' WHERE id IN (SELECT id FROM db_task_result WHERE status = 'SUCCESSFUL' ORDER BY id LIMIT ${old})`,
  )
  const from = performance.now()
  const pruned = await pruneResults({ queues: '*' })
  const ms = performance.now() - from
  say(
    `prune of ${number(pruned)} rows, reading the whole table`,
    (1_000 * pruned) / ms,
    'rows a second',
  )
}

async function grow(dataSource, kind, count, from) {
  for (let done = 0; done < count; done += CHUNK)
    for (const sql of grownRows('postgres', kind, Math.min(count - done, CHUNK), from + done))
      await dataSource.query(sql)
}

async function sizes(dataSource) {
  const [{ table, indexes }] = await dataSource.query(
    `SELECT pg_table_size('db_task_result') AS table, pg_indexes_size('db_task_result') AS indexes`,
  )
  return { table: Number(table), indexes: Number(indexes) }
}

async function walOf(dataSource) {
  const [{ bytes }] = await dataSource.query(
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes`,
  )
  return Number(bytes)
}

async function timesOf(count, run) {
  const times = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await run()
    times.push(performance.now() - from)
  }
  return times
}

function say(what, value, unit, floor) {
  lines.push(line(what, value, unit, floor))
  process.stderr.write(`${what}: ${number(value)} ${unit}\n`)
}
