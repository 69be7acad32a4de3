// A group of 100,000 members with a follower: what it costs to write it, to settle it after each exchange of 100 outcomes, and
// to give the follower all values: `node bench/settling.mjs [members]`, on PostgreSQL, or as `DB=mysql,sqlite` says.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { optionsOf } from './contenders/data-source.mjs'
import { quantile } from './lib/numbers.mjs'
import { nodeProgram, prepare, repository } from './lib/prepare.mjs'
import { Servers } from './servers/index.mjs'

const [members = '100000'] = process.argv.slice(2)
const COUNT = Number(members)
const kinds = (process.env.DB ?? 'postgres').split(',')
const EXCHANGE = 100
/** JSON of what each member returns: together they have to stay below the 16 MiB that a follower may be given. */
const VALUE = JSON.stringify('v'.repeat(98))
/** The floor, on PostgreSQL, in ms. */
const MOST_MS = 2

prepare()
// The Node for which the bench's drivers are built.
if (!globalThis.gc) {
  const args = ['--expose-gc', ...process.argv.slice(1)]
  process.exit(spawnSync(nodeProgram(), args, { stdio: 'inherit' }).status ?? 1)
}
const require = createRequire(`${repository}/package.json`)
const { flowPartOf } = require('./dist/lib/row/flow-parts.js')
const { DataSource } = require('typeorm')
const { configureTasks, group, task, taskEntities } = require('./dist/index.js')
const { backends } = require('./dist/lib/backend-registry.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')

const part = task('bench.part', () => {})
const gather = task('bench.gather', () => {})
const filter = { workerId: 'bench', queues: ['default'], excludeQueues: [] }

const servers = new Servers()
try {
  for (const kind of kinds) await servers.withDatabase(kind, measure)
} finally {
  await servers.stop()
}

async function measure(address, server) {
  const options = { ...optionsOf(address), entities: taskEntities, synchronize: true }
  const dataSource = await new DataSource(options).initialize()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  process.stdout.write(`\n## ${server.name} ${server.version}, ${COUNT} members\n\n`)
  await enqueue()
  const store = await backends.get('default').openStore({})
  // No statistics: the server has not looked at a burst yet.
  const asks = await settle(store, dataSource)
  const thirds = ['first', 'middle', 'last']
  for (const [i, name] of thirds.entries())
    sayTimes(`settling after an exchange, ${name} third`, third(asks.settling, i))
  for (const [i, name] of thirds.entries())
    sayTimes(`… by a worker that has seen nothing of the set, ${name} third`, third(asks.fresh, i))
  for (const [i, name] of thirds.entries())
    sayTimes(`the exchange itself, ${name} third`, third(asks.exchange, i))
  sayTimes('an empty statement, which tells how busy the machine is', asks.bare)
  await fill(store)
  await store.close()
  await dataSource.destroy()
}

async function enqueue() {
  const orders = Array.from({ length: COUNT }, (_, i) => part.order(i))
  const flow = group(orders).next((values) => gather.order(values))
  const from = performance.now()
  await flow.enqueue()
  say('enqueueing all rows, in one transaction', performance.now() - from, 'ms')
}

/** Members finish in the order in which they are claimed. Every 20th settling is measured with a new store, too. */
async function settle(store, dataSource) {
  const times = { settling: [], fresh: [], exchange: [], bare: [] }
  let outcomes = []
  let sets = []
  for (;;) {
    const from = performance.now()
    const { claimed } = await store.exchange(outcomes, EXCHANGE, filter)
    const exchanged = performance.now()
    if (sets.length > 0) {
      // The last one makes the follower due, which is more than to look.
      if (claimed.length === 0) return times
      await store.settle(sets)
      times.settling.push(performance.now() - exchanged)
      times.exchange.push(exchanged - from)
      times.bare.push(await timeOf(() => dataSource.query('SELECT 1')))
      if (times.settling.length % 20 === 0) times.fresh.push(await timeOfFresh(sets))
    }
    outcomes = claimed.map(({ key, claims }) => ({
      key,
      claims,
      status: 'SUCCESSFUL',
      returnValue: VALUE,
    }))
    sets = claimed.map(({ options }) => flowPartOf(options).member)
  }
}

async function timeOfFresh(sets) {
  const store = await backends.get('default').openStore({})
  // It connects with its first statement.
  await store.settle([{ set: '0'.repeat(32) }])
  const ms = await timeOf(() => store.settle(sets))
  await store.close()
  return ms
}

async function timeOf(work) {
  const from = performance.now()
  await work()
  return performance.now() - from
}

async function fill(store) {
  const from = performance.now()
  const { due } = await store.settleWaiting()
  say(`settling what waits, which makes ${due} due`, performance.now() - from, 'ms')
  globalThis.gc()
  const before = process.memoryUsage()
  const asked = performance.now()
  const { claimed } = await store.exchange([], 1, filter)
  say('claiming the follower with all values', performance.now() - asked, 'ms')
  const after = process.memoryUsage()
  say('… memory of the process', (after.rss - before.rss) / 2 ** 20, 'MiB more')
  const [{ values: call }] = claimed
  const [values] = call.args
  if (values?.length !== COUNT) throw new Error(`It was given ${values?.length} values.`)
}

function third(times, i) {
  const size = Math.floor(times.length / 3)
  return times.slice(i * size, (i + 1) * size)
}

function sayTimes(what, times) {
  const isTooSlow = quantile(times, 0.99) > MOST_MS
  const floor = what.startsWith('settling') && isTooSlow ? `, over ${MOST_MS} ms` : ''
  say(what, quantile(times, 0.5), `ms p50, ${quantile(times, 0.99).toFixed(2)} ms p99${floor}`)
}

function say(what, value, unit) {
  process.stdout.write(`- ${what}: ${value.toFixed(2)} ${unit}\n`)
}
