import { clock } from '../../../lib/clock'
import type { Claim, Dialect } from '../dialect'
import type { RawRow } from '../row'
import type { Session } from '../session'
import { OWN_COLUMNS, queueFilter, queueValues, sqlDialect, UNCANCELLED } from '../sql-dialect'
import type { Table } from '../table'

const TEXTS = ['args_kwargs', 'worker_ids', 'return_value', 'attempt_errors', 'progress', 'options']
const INSTANTS = ['run_after', 'enqueued_at', 'started_at', 'finished_at', 'lease_until', 'cancel_requested_at']

/** As text: the driver would read json and datetimes by settings of the connection, and datetimes in local time. */
const columns = (of: string): string => `CAST(${of}id AS CHAR) AS row_key, ${of}status, ${of}priority, ${of}task_path, ${of}queue_name, ${of}backend_name,
  ${of}exception_class_path, ${of}traceback, ${of}claims, ${of}unique_key, ${TEXTS.map((column) => `CAST(${of}${column} AS CHAR) AS ${column}`).join(', ')},
  ${INSTANTS.map((column) => `DATE_FORMAT(${of}${column}, '%Y-%m-%d %H:%i:%s.%f') AS ${column}`).join(', ')}`
const ROW = columns('t.')

const NOW = 'UTC_TIMESTAMP(6)'
const LEASE = `${NOW} + INTERVAL (:leaseSeconds * 1000000) MICROSECOND`
const FENCE = `t.status = 'RUNNING' AND t.claims = v.claims AND t.lease_until IS NOT NULL`

/** More than any priority, also those that nobody checked. */
const ABOVE_ALL = 2 ** 31 - 1

const TYPES: Readonly<Record<string, string>> = { row_key: 'CHAR(36)', claims: 'INT', priority: 'INT', delay: 'DOUBLE', status: 'VARCHAR(10)' }

function rows(...names: string[]): string {
  return `JSON_TABLE(:rows, '$[*]' COLUMNS (${names.map((name) => `${name} ${TYPES[name] ?? 'LONGTEXT'} PATH '$.${name}'`).join(', ')})) v`
}

/** MySQL 8.0.4 and later, MariaDB 10.6 and later. An UPDATE gives no rows back here, so claims select first. */
export function mysql({ path, hexIds, isMariaDb }: Table): Dialect {
  const same = sameId(hexIds)
  const when = "DATE_FORMAT(enqueued_at, '%Y-%m-%d %H:%i:%s.%f') AS enqueued_at"
  const returning = isMariaDb ? ` RETURNING CAST(id AS CHAR) AS row_key, unique_key, ${when}` : ''
  const insert = insertInto(path)
  return sqlDialect({
    name: 'mysql',
    updateReturns: false,
    insertReturns: isMariaDb,
    maxStatement: 2 * 1024 * 1024,
    claim: (session, claim) => claimPatiently(session, path, claim),
    sql: {
      insert: insert + returning,
      insertUnlessTaken: `${insert} ON DUPLICATE KEY UPDATE unique_key = ${path}.unique_key${returning}`,
      byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id`,
      enqueuedAt: `SELECT CAST(id AS CHAR) AS row_key, unique_key, ${when} FROM ${path} WHERE id IN (:keys)`,
      byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
      finish: `UPDATE ${path} t JOIN ${rows('row_key', 'claims', 'status', 'return_value', 'exception_class_path', 'traceback', 'attempt_error', 'progress', 'delay')} ON ${same}
        SET t.return_value = v.return_value, t.exception_class_path = v.exception_class_path, t.traceback = v.traceback,
          t.finished_at = CASE WHEN v.status = 'READY' THEN NULL ELSE ${NOW} END,
          t.run_after = CASE WHEN v.delay IS NULL THEN t.run_after ELSE ${NOW} + INTERVAL (v.delay * 1000) MICROSECOND END,
          t.attempt_errors = CASE WHEN v.attempt_error IS NULL THEN t.attempt_errors
            ELSE JSON_ARRAY_APPEND(COALESCE(t.attempt_errors, JSON_ARRAY()), '$', JSON_EXTRACT(v.attempt_error, '$')) END,
          t.unique_key = CASE WHEN v.status <> 'READY' AND t.unique_key LIKE 'f:%' THEN NULL ELSE t.unique_key END,
          t.progress = COALESCE(v.progress, t.progress), t.lease_until = NULL, t.cancel_requested_at = NULL, t.status = v.status
        WHERE ${FENCE} AND ${UNCANCELLED}`,
      takeOver: '',
      lockExpired: `SELECT CAST(t.id AS CHAR) AS row_key FROM ${path} t WHERE t.id IN (:keys) AND t.status = 'RUNNING' AND t.lease_until < ${NOW} FOR UPDATE SKIP LOCKED`,
      settled: `SELECT CAST(t.id AS CHAR) AS row_key FROM ${path} t JOIN ${rows('row_key', 'claims', 'status', 'exception_class_path')} ON ${same}
        WHERE t.claims = v.claims AND t.status = v.status AND t.lease_until IS NULL
          AND t.exception_class_path = CONVERT(v.exception_class_path USING utf8mb4) COLLATE utf8mb4_bin`,
      renew: `UPDATE ${path} t JOIN ${rows('row_key', 'claims', 'progress')} ON ${same}
        SET t.lease_until = ${LEASE}, t.progress = COALESCE(v.progress, t.progress) WHERE ${FENCE}`,
      held: `SELECT CAST(t.id AS CHAR) AS row_key, t.cancel_requested_at IS NOT NULL AS cancelled FROM ${path} t JOIN ${rows('row_key', 'claims')} ON ${same} WHERE ${FENCE}`,
      // Assignments happen from left to right: started_at must look at worker_ids before it changes.
      release: `UPDATE ${path} t JOIN ${rows('row_key', 'claims')} ON ${same}
        SET t.started_at = CASE WHEN JSON_LENGTH(t.worker_ids) > 1 THEN t.started_at END,
          t.worker_ids = JSON_REMOVE(t.worker_ids, CONCAT('$[', JSON_LENGTH(t.worker_ids) - 1, ']')), t.lease_until = NULL, t.status = 'READY'
        WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
      expired: `SELECT ${ROW} FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until < ${NOW} AND t.backend_name = :backendName LIMIT :limit`,
      furtherOn: `SELECT CAST(t.id AS CHAR) AS row_key FROM ${path} t WHERE true {part} ORDER BY t.id LIMIT 1 OFFSET :skipped`,
      prunable: `SELECT CAST(t.id AS CHAR) AS row_key FROM ${path} t WHERE ${prunable()} {part} {queues} ORDER BY t.id LIMIT :limit`,
      countPrunable: `SELECT COUNT(*) AS n FROM ${path} t WHERE ${prunable()} {queues}`,
      deleteByIds: `DELETE FROM ${path} WHERE id IN (:keys) AND status IN ('SUCCESSFUL', 'FAILED')`,
      count: `SELECT t.status, COUNT(*) AS n FROM ${path} t WHERE t.backend_name = :backendName {queues} GROUP BY t.status`,
      cancelReady: `UPDATE ${path} t SET t.status = 'FAILED', t.finished_at = ${NOW}, t.exception_class_path = :exceptionClassPath, t.traceback = :traceback,
          t.unique_key = CASE WHEN t.unique_key LIKE 'f:%' THEN NULL ELSE t.unique_key END WHERE t.id = :id AND t.status = 'READY'`,
      requestCancel: `UPDATE ${path} t SET t.cancel_requested_at = ${NOW} WHERE t.id = :id AND t.status = 'RUNNING' AND t.lease_until IS NOT NULL`,
    },
  })
}

/**
 * Texts of a JSON_TABLE may have another collation than the column, and such a comparison uses no index:
 * ids without a type of their own are looked up as parameters, and matched to their row after that.
 */
function sameId(hexIds: boolean): string {
  if (!hexIds) return 't.id = CAST(v.row_key AS UUID)'
  return 't.id IN (:keys) AND CONVERT(t.id USING utf8mb4) COLLATE utf8mb4_bin = CONVERT(v.row_key USING utf8mb4) COLLATE utf8mb4_bin'
}

/** A worker that was passed by asks again after so many milliseconds, then ever later, until the last. */
const [FIRST_PAUSE, LAST_PAUSE] = [2, 100]

/**
 * MariaDB keeps rows locked that a locking read looked at in vain, until the commit: while others claim, a worker may pass
 * over rows of its own queue. Before it goes away with empty hands (a batch would end), it looks whether there are any.
 */
async function claimPatiently(session: Session, path: string, claim: Claim): Promise<RawRow[]> {
  for (let pause = FIRST_PAUSE; ; pause *= 1.5) {
    const rows = await session.transaction((inside) => claimRows(inside, path, claim))
    if (rows === null) return []
    if (rows.length > 0 || pause > LAST_PAUSE || (await find(session, path, { ...claim, room: 1 }, '')).keys.length === 0) return rows
    await clock.sleep(pause * (0.5 + Math.random()))
  }
}

/** null: nothing waits at all. */
async function claimRows(session: Session, path: string, claim: Claim): Promise<RawRow[] | null> {
  const { keys, waiting } = await find(session, path, claim, 'FOR UPDATE SKIP LOCKED')
  if (keys.length === 0) return waiting ? [] : null
  await session.query(
    `UPDATE ${path} SET status = 'RUNNING', started_at = ${NOW}, lease_until = ${LEASE}, claims = COALESCE(claims, 0) + 1, cancel_requested_at = NULL,
      worker_ids = CASE WHEN JSON_VALID(worker_ids) THEN JSON_ARRAY_APPEND(worker_ids, '$', :worker) ELSE JSON_ARRAY(worker_ids, :worker) END WHERE id IN (:keys)`,
    { keys, worker: claim.wishes.workerId, leaseSeconds: claim.leaseSeconds },
  )
  const { records } = await session.query(`SELECT ${ROW} FROM ${path} t WHERE t.id IN (:keys)`, { keys })
  return records as unknown as RawRow[]
}

/**
 * From priority to priority, in each the due delayed rows and then the undelayed ones; see the PostgreSQL dialect
 * for why. Here it also keeps workers apart: what a locking read has to sort, it locks, every row of it.
 */
async function find(session: Session, path: string, claim: Claim, lock: string): Promise<{ keys: string[]; waiting: boolean }> {
  const keys: string[] = []
  const highest = await nextPriority(session, path, ABOVE_ALL)
  for (let priority = highest; priority !== null; priority = keys.length < claim.room ? await nextPriority(session, path, priority) : null)
    for (const runAfter of [`<= ${NOW}`, `= '9999-01-01 00:00:00'`])
      if (keys.length < claim.room) keys.push(...(await findInRange(session, path, claim, priority, runAfter, claim.room - keys.length, lock)))
  return { keys, waiting: highest !== null }
}

/**
 * One look into the index. A statement for each step, since within a recursive one the step depends on a row,
 * and then all READY rows are read for it (measured with 100,000: 20 ms in place of 0.3).
 */
async function nextPriority(session: Session, path: string, below: number): Promise<number | null> {
  const { records } = await session.query(`SELECT MAX(priority) AS priority FROM ${path} WHERE status = 'READY' AND priority < :below`, { below })
  const priority = records[0]?.['priority'] ?? null
  return priority === null ? null : Number(priority)
}

async function findInRange(session: Session, path: string, { wishes, backendName }: Claim, priority: number, runAfter: string, room: number, lock: string): Promise<string[]> {
  const { records } = await session.query(
    `SELECT CAST(t.id AS CHAR) AS row_key FROM ${path} t
      WHERE t.status = 'READY' AND t.priority = :priority AND t.run_after ${runAfter} AND t.backend_name = :backendName ${queueFilter(wishes)}
      ORDER BY t.run_after, t.enqueued_at LIMIT :room ${lock}`,
    { priority, room, backendName, ...queueValues(wishes) },
  )
  return records.map((record) => String(record['row_key']))
}

function prunable(): string {
  const older = (age: string): string => `t.finished_at <= ${NOW} - INTERVAL (${age} * 1000) MICROSECOND`
  return `t.backend_name = :backendName AND ((t.status = 'SUCCESSFUL' AND ${older(':minAge')}) OR (t.status = 'FAILED' AND ${older(':failedMinAge')}))`
}

function insertInto(path: string): string {
  return `INSERT INTO ${path} (id, status, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after,
    enqueued_at, exception_class_path, traceback, unique_key, options, ${OWN_COLUMNS})
  SELECT v.row_key, 'READY', v.args_kwargs, :priority, :task_path, '[]', :queue_name, :backend_name, :run_after, ${NOW}, '', '', :unique_key, :options, 0, NULL, NULL, NULL, NULL
  FROM ${rows('row_key', 'args_kwargs')}`
}
