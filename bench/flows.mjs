// Flows beside plain tasks: `node bench/flows.mjs [--quick] [--database …] [--rounds <n>]`.
// 10,000 groups of ten with a task after each, and as many plain tasks, are enqueued and then drained by one worker in this
// process, in turns on one table that is empty before each. The floor of the ratio of both drains is 0.6.
import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { median } from './lib/numbers.mjs'
import { parseOptions } from './lib/options.mjs'
import { nodeProgram, prepare, repository } from './lib/prepare.mjs'

const args = process.argv.slice(2)
const { quick, databases, ...given } = parseOptions(args)
const rounds = args.includes('--rounds') ? given.rounds : 3
const GROUPS = quick ? 1_000 : 10_000
const MEMBERS = 10
const ROWS = GROUPS * (MEMBERS + 1)

prepare()
// The driver of SQLite that the bench has is for its own Node.
if (realpathSync(process.execPath) !== realpathSync(nodeProgram()))
  process.exit(spawnSync(nodeProgram(), process.argv.slice(1), { stdio: 'inherit' }).status ?? 1)
const require = createRequire(`${repository}/package.json`)
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult, group, runUntilEmpty, task } = require('./dist/index.js')
const { optionsOf } = await import('./contenders/data-source.mjs')
const { Servers } = await import('./servers/index.mjs')

const member = task('bench.member', (number) => number)
const follower = task('bench.follower', (numbers) => {
  if (numbers.length !== MEMBERS) throw new Error(`${numbers.length} values`)
})

const enqueue = {
  async plain() {
    const calls = Array.from({ length: 1_000 }, (_, i) => [i])
    for (let left = ROWS; left > 0; left -= calls.length)
      await member.enqueueMany(calls.slice(0, left))
  },
  async flows() {
    const one = (first) =>
      group(Array.from({ length: MEMBERS }, (_, i) => member.order(first + i)))
        .next((numbers) => follower.order(numbers))
        .enqueue()
    for (let at = 0; at < GROUPS; at += 20)
      await Promise.all(Array.from({ length: 20 }, (_, i) => one(at + i)))
  },
}

const servers = new Servers()
try {
  for (const kind of databases) await measure(kind)
} finally {
  await servers.stop()
}

async function measure(kind) {
  const server = await servers.get(kind)
  const dataSource = new DataSource({
    ...optionsOf(await server.fresh()),
    entities: [DBTaskResult],
    synchronize: true,
  })
  await dataSource.initialize()
  configureTasks({
    default: {
      BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
      OPTIONS: { dataSource },
    },
  })
  const found = { plain: [], flows: [] }
  // The first round warms up.
  for (let round = 0; round <= rounds; round++)
    for (const what of round % 2 === 0 ? ['plain', 'flows'] : ['flows', 'plain']) {
      const rates = await rated(what, dataSource)
      if (round > 0) found[what].push(rates)
    }
  await dataSource.destroy()
  const of = (what, phase) => median(found[what].map((rates) => rates[phase]))
  const ratio = (phase) =>
    median(found.flows.map((rates, i) => rates[phase] / found.plain[i][phase]))
  console.log(
    `\n${kind}: ${GROUPS} groups of ${MEMBERS} and a task after each, medians of ${rounds} rounds`,
  )
  for (const phase of ['enqueued', 'drained'])
    console.log(
      `  rows ${phase} a second: plain ${of('plain', phase).toFixed(0)}, of flows ${of('flows', phase).toFixed(0)}, flows/plain ${ratio(phase).toFixed(2)}`,
    )
}

async function rated(what, dataSource) {
  const rows = dataSource.getRepository(DBTaskResult)
  await rows.clear()
  const enqueued = await perSecond(() => enqueue[what]())
  const drained = await perSecond(() => runUntilEmpty())
  const successful = await rows.countBy({ status: 'SUCCESSFUL' })
  if (successful !== ROWS) throw new Error(`${successful} of ${ROWS} rows are SUCCESSFUL`)
  return { enqueued, drained }
}

async function perSecond(run) {
  const startedAt = performance.now()
  await run()
  return (ROWS * 1_000) / (performance.now() - startedAt)
}
