// What a run leaves behind, in places that survive whatever happens to its worker: a line in an append-only file,
// and a row in the ledger, on a connection that is neither the app's nor the worker's.
const { appendFileSync } = require('node:fs')
const { join } = require('node:path')
const { DataSource } = require('typeorm')
const { direct } = require('./fault.json')

const EVENTS = join(__dirname, 'events')
const isPostgres = direct.type === 'postgres'
const pool = isPostgres
  ? { max: 2 }
  : ['mariadb', 'mysql'].includes(direct.type)
    ? { connectionLimit: 2 }
    : {}
// A scenario may have set this process's clock wrong.
const now = () => globalThis.realNow?.() ?? Date.now()
let opening

/** Notes that a run has started, under which claim. */
exports.begin = async function begin({ attempt, taskResult: { id } }) {
  const ledger = await (opening ??= new DataSource({
    ...direct,
    extra: pool,
    ...(isPostgres ? { applicationName: 'ledger' } : {}),
    entities: [],
  }).initialize())
  const key = ['better-sqlite3', 'mysql'].includes(direct.type) ? id.replaceAll('-', '') : id
  const [{ claims }] = await ledger.query(`SELECT claims FROM db_task_result WHERE id = '${key}'`)
  const run = { id, attempt, claim: Number(claims) }
  await ledger.query(
    `INSERT INTO fault_ledger (task_id, claim_no, pid) VALUES ('${id}', ${run.claim}, ${process.pid})`,
  )
  exports.note('start', run)
  return run
}

/** One line, in one write: lines of several processes do not mix. */
exports.note = function note(event, run, text) {
  appendFileSync(
    EVENTS,
    `${JSON.stringify({ event, ...run, pid: process.pid, at: now(), note: text })}\n`,
  )
}
