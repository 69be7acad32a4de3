// Tasks of the long runs, whose database may be away at any time: a run is noted in the journal at once, and in the
// ledger as soon as there is a database to take it.
const { setTimeout: sleep } = require('node:timers/promises')
const { DataSource } = require('typeorm')
const { task } = require('typeorm-tasks')
const { direct } = require('./fault.json')
const { note } = require('./journal')

const isSqlite = direct.type === 'better-sqlite3'
const pool =
  direct.type === 'postgres'
    ? { max: 2 }
    : ['mariadb', 'mysql'].includes(direct.type)
      ? { connectionLimit: 2 }
      : {}
let opening

/** A task whose runs are in the journal and in the ledger; it returns the claim that it ran under. */
exports.observed = function observed(name, work, options = {}) {
  task(
    `fault.${name}`,
    async (context, ...args) => {
      const { id } = context.taskResult
      const run = { id, attempt: context.attempt, claim: globalThis.claimNumber() }
      note('start', run)
      try {
        // SQLite has one writer at a time: who waits within a transaction for another waits for ever.
        if (!options.transactional) await enter(run, context.signal)
        await work({ run, context }, ...args)
        note('end', run)
        return { claim: run.claim }
      } catch (error) {
        note('thrown', run)
        throw error
      }
    },
    { takesContext: true, ...options },
  )
}

/** Until it is written, or the task is told to stop. */
async function enter({ id, claim }, signal) {
  for (;;) {
    const written = await write(id, claim).catch(() => false)
    if (written) return
    signal.throwIfAborted()
    await sleep(50 * (0.5 + Math.random()))
  }
}

/** A reply that was lost is no failure: then the row is there, and this process wrote it. */
async function write(id, claim) {
  const ledger = await open()
  const [found] = await ledger.query(
    `SELECT pid FROM fault_ledger WHERE task_id = '${id}' AND claim_no = ${claim}`,
  )
  if (found)
    return (
      Number(found.pid) === process.pid ||
      Promise.reject(note('intruder', { id, attempt: 0, claim }))
    )
  await ledger.query(
    `INSERT INTO fault_ledger (task_id, claim_no, pid) VALUES ('${id}', ${claim}, ${process.pid})`,
  )
  return true
}

/** On SQLite it must not wait in the driver, which would stop all else in this process. */
function open() {
  opening ??= new DataSource({
    ...direct,
    ...(isSqlite ? { timeout: 0 } : {}),
    extra: pool,
    entities: [],
  }).initialize()
  return opening.catch((error) => {
    opening = undefined
    throw error
  })
}
