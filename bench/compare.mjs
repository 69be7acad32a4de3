// This checkout beside another one: `node bench/compare.mjs <folder of the other, built> [--quick] [--database …] [--rounds <n>]`.
import { resolve } from 'node:path'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cpuOf } from './lib/cpu.mjs'
import { median } from './lib/numbers.mjs'
import { parseOptions } from './lib/options.mjs'
import { nodeProgram, prepare, repository } from './lib/prepare.mjs'

const [folder, ...args] = process.argv.slice(2)
if (folder === undefined || folder.startsWith('-'))
  throw new Error('Say which checkout to compare with: node bench/compare.mjs ../before')
const { quick, databases, ...given } = parseOptions(args)
const rounds = args.includes('--rounds') ? given.rounds : quick ? 5 : 11
const program = fileURLToPath(new URL('lib/compared.mjs', import.meta.url))
const batch = quick ? 20_000 : 80_000
/** In this order in the first round, in the other order in the next: what comes second finds a warmer machine. */
const checkouts = { other: resolve(folder), this: repository }
const measures = [
  { verb: 'single', count: 1_000, unit: 'tasks/s, one producer' },
  { verb: 'producers', count: 4_000, unit: 'tasks/s, 20 producers' },
  { verb: 'bulk', count: batch, unit: 'tasks/s, in bulk' },
  { verb: 'drain', count: batch + 2_300, unit: 'tasks/s, drained' },
  { verb: 'latency', count: quick ? 50 : 100, unit: 'ms, latency p50' },
]

/** Both have a database of their own on the same server, and take turns. */
async function compare(kind) {
  const server = await servers.get(kind)
  const sides = {}
  for (const [name, root] of Object.entries(checkouts))
    sides[name] = await Side.start(root, await server.fresh())
  const found = { other: [], this: [] }
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? ['other', 'this'] : ['this', 'other']) {
      const values = await sides[name].measure()
      // The first round warms up.
      if (round > 0) found[name].push(values)
    }
  console.log(
    `\n${kind}, medians of ${rounds} rounds; ratios are medians of the ratios within a round`,
  )
  for (const [i, { unit }] of measures.entries()) {
    const of = (name) => found[name].map((values) => values[i])
    console.log(line(unit, of('other'), of('this')))
  }
  for (const name in sides) await sides[name].close()
}

function line(unit, other, own) {
  const isTime = unit.startsWith('ms')
  const shown = (values) => median(values.map(({ value }) => value)).toFixed(isTime ? 1 : 0)
  const ratio = (of) => median(own.map((each, i) => of(each) / of(other[i]))).toFixed(3)
  return `  ${unit.padEnd(24)} other ${shown(other).padStart(8)}  this ${shown(own).padStart(8)}  this/other ${ratio(({ value }) => value)}  CPU ${ratio(({ cpu }) => cpu)}`
}

/** A checkout at work: one process that enqueues and drains, and one with a waiting worker. */
class Side {
  static async start(root, address) {
    const side = new Side()
    side.main = await started(root, address)
    side.worker = await started(root, address)
    return side
  }

  async measure() {
    const values = []
    for (const { verb, count } of measures) values.push(await this.#ask(verb, count))
    return values
  }

  async #ask(verb, count) {
    const before = cpuOf(this.main.pid)
    if (verb === 'latency') await answer(this.worker, { verb: 'work' })
    const value = await answer(this.main, { verb, count })
    const cpu = cpuOf(this.main.pid) - before
    return verb === 'latency'
      ? { value: median(await answer(this.worker, { verb: 'rest' })), cpu }
      : { value, cpu }
  }

  async close() {
    for (const child of [this.main, this.worker]) child.disconnect()
  }
}

async function started(root, address) {
  const child = fork(program, [root, JSON.stringify(address)], { execPath: nodeProgram() })
  await answer(child, { verb: 'open' })
  return child
}

function answer(child, wish) {
  return new Promise((settle, reject) => {
    const ended = (code) => reject(new Error(`The process of a checkout ended with ${code}.`))
    child.once('exit', ended)
    child.once('message', ({ value, error }) => {
      child.off('exit', ended)
      if (error === undefined) settle(value)
      else reject(new Error(error))
    })
    child.send(wish)
  })
}

prepare()
// It needs packages that `prepare` installs.
const { Servers } = await import('./servers/index.mjs')
const servers = new Servers()
try {
  for (const kind of databases) await compare(kind)
} finally {
  await servers.stop()
}
