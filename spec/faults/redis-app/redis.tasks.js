const { appendFileSync } = require('node:fs')
const { join } = require('node:path')
const { task } = require('typeorm-tasks')

const EVENTS = join(__dirname, 'events')

/** One line, in one write: lines of several processes do not mix. */
function note(event, id, more) {
  const line = { event, id, pid: process.pid, at: Date.now(), ...more }
  appendFileSync(EVENTS, `${JSON.stringify(line)}\n`)
}

/** A task whose runs are in the journal. Its result says which run it is of. */
function observed(name, work) {
  task(
    `fault.${name}`,
    async (context, ...args) => {
      const { id } = context.taskResult
      const run = `${process.pid}-${performance.now()}`
      note('start', id, { run, attempt: context.attempt })
      context.signal.addEventListener('abort', () =>
        note('abort', id, { run, note: context.signal.reason?.name }),
      )
      await work(context, ...args)
      note('end', id, { run })
      return run
    },
    { takesContext: true },
  )
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

observed('sleep', (_, ms) => sleep(ms))

/** As long as that in its first attempt; at once in later ones. */
observed('second', (context, ms) => sleep(context.attempt > 1 ? 0 : ms))
