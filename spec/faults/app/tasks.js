const { task } = require('typeorm-tasks')
const { begin, note } = require('./journal')
const { dataSource } = require('./ormconfig')

/** Starts all at once for every worker: see `fault.gather`. */
const here = require('node:path').join(__dirname, 'here')

/** A task whose runs are in the journal, and whose result, or error, names the claim that it ran under. */
function observed(name, work, options = {}) {
  task(
    `fault.${name}`,
    async (context, ...args) => {
      const run = await begin(context)
      try {
        const value = await work({ run, context }, ...args)
        note('end', run)
        return { claim: run.claim, value: value ?? null }
      } catch (error) {
        note('thrown', run)
        throw error
      }
    },
    { takesContext: true, ...options },
  )
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

/** Keeps the event loop for so long, as a computation does; it leaves the core to other specs, save where it never ends. */
function busy(ms) {
  if (ms === Infinity) for (;;);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Sleeps, deaf to its signal. */
observed('sleep', (_, ms) => sleep(ms))

observed('count', ({ run }) => note('effect', run))

/** Sleeps until its signal aborts; then it throws the reason, or whatever it is told to. */
observed('listen', async ({ run, context: { signal } }, ms, reaction = 'reason') => {
  await Promise.race([
    sleep(ms),
    new Promise((wake) => signal.addEventListener('abort', wake, { once: true })),
  ])
  if (!signal.aborted) return
  note('abort', run, signal.reason?.name ?? String(signal.reason))
  if (reaction === 'return') return 'ended early'
  throw reaction === 'reason' ? signal.reason : new RangeError(`claim ${run.claim} ${reaction}`)
})

observed('fail', ({ run }) => {
  throw new RangeError(`claim ${run.claim}`)
})

/** Notes it when its signal aborts, and goes on all the same. */
observed('stubborn', async ({ run, context: { signal } }, ms) => {
  signal.addEventListener(
    'abort',
    () => note('abort', run, signal.reason?.name ?? String(signal.reason)),
    { once: true },
  )
  await sleep(ms)
})

/** As `stubborn`; but from its second claim on it ends at once, well or badly. */
observed('second', async (surroundings, ms, outcome = 'ends') => {
  const {
    run,
    context: { signal },
  } = surroundings
  if (run.claim > 1) {
    if (outcome === 'fails') throw new RangeError(`claim ${run.claim}`)
    return
  }
  signal.addEventListener(
    'abort',
    () => note('abort', run, signal.reason?.name ?? String(signal.reason)),
    { once: true },
  )
  await sleep(ms)
})

/** Blocks the event loop, under its first claim. */
observed('block', ({ run }, ms) => run.claim === 1 && busy(ms))

/** Ends the process; only in the first `times` attempts. */
observed('poison', async ({ context: { attempt } }, how, times = Infinity, after = 0) => {
  await sleep(after)
  if (attempt <= times) await DEATHS[how]()
})

const DEATHS = {
  kill: () => process.kill(process.pid, 'SIGKILL') && sleep(10_000),
  exit: () => process.exit(0),
  abort: () => process.abort(),
  heap: () => {
    for (const heap = []; ;) heap.push(Array.from({ length: 10_000 }, (_, i) => ({ i })))
  },
}

/** Comes back only when so many workers run it. */
observed('gather', async (_, workers) => {
  const { readdir, writeFile } = require('node:fs/promises')
  await require('node:fs/promises').mkdir(here, { recursive: true })
  await writeFile(`${here}/${process.pid}`, '')
  for (let tries = 0; tries < 3_000 && (await readdir(here)).length < workers; tries++)
    await sleep(10)
})

/** Leaves something behind that ends badly when it has returned. */
observed('stray', (_, how, ms) => {
  setTimeout(() => {
    if (how === 'rejection') void Promise.reject(new RangeError('nobody waits for this'))
    else throw new RangeError('nobody catches this')
  }, ms)
})

/** Throws what nobody expects. */
observed('throws', (_, what) => {
  throw ODDITIES[what]()
})

const ODDITIES = {
  text: () => 'a text',
  nothing: () => undefined,
  null: () => null,
  'hostile toString': () => ({
    toString: () => {
      throw new Error('no')
    },
    get message() {
      throw new Error('no')
    },
    get constructor() {
      throw new Error('no')
    },
  }),
  frozen: () => Object.freeze(new RangeError('frozen')),
  cyclic: () => {
    const error = new Error('cyclic')
    error.cause = error
    return error
  },
  revoked: () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  megabytes: () => new Error('x'.repeat(5 * 1024 * 1024)),
}

/** Holds a connection of the app's own pool for so long. */
observed('hold', async (_, ms) => {
  await dataSource.transaction(async (manager) => {
    await manager.query('SELECT 1')
    await sleep(ms)
  })
})

/** Enqueues another task within a transaction of the app, which is rolled back after so long. */
observed('rollback', async ({ run }, ms) => {
  const { atomic, remoteTask } = require('typeorm-tasks')
  const attempt = atomic(dataSource, async () => {
    const { id } = await remoteTask('fault.count').enqueue()
    note('undone', run, id)
    await sleep(ms)
    throw new Error('back')
  })
  await attempt.catch((error) => error.message === 'back' || Promise.reject(error))
})

/** Runs a statement of the app's own on its own pool, and says how many times it went well. */
observed('query', async (_, times, pause) => {
  for (let i = 0; i < times; i++, await sleep(pause)) await dataSource.query('SELECT 1')
  return times
})

/** Moves the wall clock of its process to and fro while it runs. */
observed('timeTravel', async (_, ms) => {
  for (const hours of [1, -2, 1]) {
    globalThis.shiftClock(hours * 3_600_000)
    await sleep(ms / 3)
  }
})

/** Takes away every listener for signals. */
observed('unlisten', async (_, ms) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT']) process.removeAllListeners(signal)
  process.on('SIGTERM', () => {})
  await sleep(ms)
})

Object.assign(exports, { observed, sleep, busy, DEATHS })
