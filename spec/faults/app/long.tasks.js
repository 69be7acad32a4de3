// What the long runs run.
const { setTimeout: sleep } = require('node:timers/promises')
const { observed } = require('./patient')
const { busy } = require('./tasks')

observed('long.sleep', (_, ms) => sleep(ms))

/** Sleeps until its signal aborts. */
observed('long.listen', async ({ context: { signal } }, ms) => {
  await sleep(ms, undefined, { signal }).catch(() => {})
  signal.throwIfAborted()
})

observed('long.fail', ({ run }) => {
  throw new RangeError(`claim ${run.claim}`)
})

/** Fails so many times. */
observed(
  'long.flaky',
  ({ run, context: { attempt } }, failures) => {
    if (attempt <= failures) throw new RangeError(`claim ${run.claim}`)
  },
  { retry: { maxAttempts: 4, delay: 200 } },
)

/** Takes the whole process, for so long. */
observed('long.block', (_, ms) => busy(ms))

/** May take 300 ms, and listens. */
observed('long.limited', ({ context: { signal } }, ms) => sleep(ms, undefined, { signal }), {
  timeLimit: 300,
})
