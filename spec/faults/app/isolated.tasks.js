const { task } = require('typeorm-tasks')
const { note } = require('./journal')
const { observed, sleep, busy, DEATHS } = require('./tasks')

const isolate = true

/** Sleeps, deaf to its signal. */
observed('apart.sleep', (_, ms) => sleep(ms), { isolate })

observed('apart.pid', () => process.pid, { isolate })

/** Computes for so long. */
observed('apart.block', (_, ms) => busy(ms), { isolate })

observed('apart.loop', () => busy(Infinity), { isolate })

/** Loops under its first claim only. */
observed('apart.loopOnce', ({ run }) => run.claim === 1 && busy(Infinity), { isolate })

/** Ends its process; only in the first `times` attempts. */
observed(
  'apart.poison',
  async ({ context: { attempt } }, how, times = Infinity, after = 0) => {
    await sleep(after)
    if (attempt <= times) await DEATHS[how]()
  },
  { isolate },
)

/** Reports, and sleeps until its signal aborts; then it throws the reason. */
observed(
  'apart.listen',
  async ({ run, context }, ms) => {
    context.reportProgress(1, 2, 'apart')
    await Promise.race([
      sleep(ms),
      new Promise((wake) => context.signal.addEventListener('abort', wake, { once: true })),
    ])
    if (!context.signal.aborted) return
    note('abort', run, context.signal.reason.name)
    throw context.signal.reason
  },
  { isolate },
)

/** Leaves something behind that ends its process when it has returned. */
observed(
  'apart.stray',
  (_, ms, how = 'throws') =>
    void setTimeout(() => {
      const error = new RangeError('nobody catches this')
      if (how === 'throws') throw error
      void Promise.reject(error)
    }, ms),
  { isolate },
)

/** Leaves something behind that blocks its process when it has returned. */
observed('apart.clog', (_, ms) => void setTimeout(() => busy(Infinity), ms), { isolate })

/** Writes a row in its own transaction; in the first `times` attempts its process is killed after that. No ledger: on SQLite the transaction keeps it from writing. */
task(
  'fault.apart.transfer',
  async ({ attempt, manager, taskResult: { id } }, times = 0) => {
    note('start', { id, attempt, claim: attempt })
    await manager.query(`INSERT INTO fault_effects (task_id) VALUES ('${id}')`)
    if (attempt <= times) await DEATHS.kill()
  },
  { isolate, transactional: true, takesContext: true },
)
