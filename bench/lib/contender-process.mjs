// What runs in a contender's process: it opens the contender, and answers the verbs that the bench sends.
import { setTimeout as sleep } from 'node:timers/promises'
import { moveTo } from './cores.mjs'
import { cpuOf } from './cpu.mjs'
import { now } from './numbers.mjs'

const PATIENCE = 180_000

let contender
let server
const lags = []
let stored = 0

const verbs = {
  async open({ contender: name, address, settings }) {
    const { open } = await import(`../contenders/${name}.mjs`)
    server = address.pid
    moveTo(address.cores)
    contender = await open(address, settings)
  },

  install: () => contender.install(),

  /** Fills the queue by the fastest way the contender has. */
  async fill({ count, bytes }) {
    for (let left = count; left > 0; left -= 1_000)
      await contender.addMany(payloads(Math.min(left, 1_000), bytes))
  },

  /** Rows that are not for the worker to run: `finished`, `later` or more of what is ready. */
  grow: ({ kind, count }) => contender.grow(kind, count),

  async enqueue({ count, producers }) {
    let left = count
    const produce = async () => {
      while (left-- > 0) await contender.add({})
    }
    return timed(() => Promise.all(Array.from({ length: producers }, produce)))
  },

  async enqueueBulk({ calls, size }) {
    const batches = Array.from({ length: calls }, () => payloads(size))
    return timed(async () => {
      for (const batch of batches) await contender.addMany(batch)
    })
  },

  /** Runs `warm` tasks and then measures `count`. */
  async drain({ warm, count, wait = 0, backlog = false }) {
    const watch = new Watch(warm, warm + count)
    await contender.work({
      run: wait > 0 ? () => waiting(watch, wait) : () => watch.ran(),
      completed: (number) => watch.completed(number),
    })
    const problem = await Promise.race([watch.done, sleep(PATIENCE, 'late', { ref: false })])
    if (problem === 'late')
      throw new Error(
        `only ${watch.count} of ${warm + count} tasks ran within ${PATIENCE / 1000} s`,
      )
    if (!contender.tellsCompleted && !backlog)
      await until(async () => (await contender.left()) === 0)
    const report = watch.report()
    if (!backlog) await until(async () => (await contender.left()) === 0)
    return report
  },

  /** Starts a worker of an empty queue, which notes how long ago its tasks were enqueued. */
  async listen() {
    await contender.work({
      run: async (payload) => void lags.push(now() - payload.at),
      completed: () => {},
    })
    await until(async () => (await contender.left()) === 0)
  },

  async ping({ count, pause }) {
    for (let i = 0; i < count; i++) {
      await sleep(pause * (0.5 + Math.random()))
      await contender.add({ at: now() })
    }
  },

  lags: () => lags.splice(0),

  /** Works without an end; `stored` tells how far it is. */
  work: () =>
    contender.work({ run: async () => {}, completed: (number) => void (stored += number) }),

  stored: () => stored,

  /** Milliseconds that each of so many claims took. */
  async claims({ count, room }) {
    const took = []
    for (let i = 0; i < count; i++) {
      const from = now()
      const claimed = await contender.claim(room)
      took.push(now() - from)
      if (claimed !== room) throw new Error(`a claim of ${room} rows gave ${claimed}`)
    }
    return took
  },

  size: () => process.memoryUsage(),

  left: () => contender.left(),

  async memory() {
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.()
      await sleep(20)
    }
    const { heapUsed, rss } = process.memoryUsage()
    return { heapUsed, rss }
  },

  hold: () => contender.hold(),
}

/** Notes when the measured tasks begin and end. */
class Watch {
  count = 0
  stored = 0
  #from
  #to
  #begun
  #resolve
  done = new Promise((resolve) => (this.#resolve = resolve))

  constructor(from, to) {
    this.#from = from
    this.#to = to
    if (from === 0) this.#begun = sample()
  }

  async ran() {
    this.count++
    if (this.count === this.#from) this.#begun = sample()
    if (this.count === this.#to && !contender.tellsCompleted) this.#resolve()
  }

  completed(number) {
    this.stored += number
    if (this.stored >= this.#to && contender.tellsCompleted) this.#resolve()
  }

  report() {
    const ended = sample()
    const count = this.#to - this.#from
    const per1000 = (name) => ((ended[name] - this.#begun[name]) / count) * 1_000
    return {
      rate: count / (ended.seconds - this.#begun.seconds),
      workerCpu: per1000('worker'),
      serverCpu: per1000('server'),
      rss: process.memoryUsage().rss,
    }
  }
}

async function waiting(watch, milliseconds) {
  await sleep(milliseconds)
  await watch.ran()
}

function sample() {
  const { user, system } = process.cpuUsage()
  return { seconds: now() / 1_000, worker: (user + system) / 1e6, server: cpuOf(server) }
}

async function timed(work) {
  const from = now()
  await work()
  return (now() - from) / 1_000
}

async function until(holds) {
  const deadline = now() + PATIENCE
  while (!(await holds())) {
    if (now() > deadline) throw new Error(`tasks are left over after ${PATIENCE / 1000} s`)
    await sleep(2)
  }
}

function payloads(count, bytes = 0) {
  return Array.from({ length: count }, () => (bytes > 0 ? { text: 'x'.repeat(bytes) } : {}))
}

process.on('disconnect', () => process.exit())
process.on('message', ({ id, verb, wish }) => {
  const answer = (result) => process.send({ id, ...result })
  Promise.resolve()
    .then(() => verbs[verb](wish))
    .then(
      (value) => answer({ value }),
      (error) => answer({ error: error?.stack ?? String(error) }),
    )
})
