import type { Dialect } from '../dialect'
import { OWN_COLUMNS, sqlDialect, UNCANCELLED } from '../sql-dialect'
import type { Table } from '../table'
import { claimPatiently, finishAndClaim } from './mysql-claim'
import { instants, KEY, leaseFrom, NOW, rows, texts, told, valuesOf } from './mysql-columns'

const ROW = `${KEY}, t.status, t.priority, t.task_path, t.queue_name, t.backend_name, t.exception_class_path, t.traceback, t.claims, t.unique_key,
  ${texts('args_kwargs', 'worker_ids', 'return_value', 'attempt_errors', 'progress', 'options')},
  ${instants('run_after', 'enqueued_at', 'started_at', 'finished_at', 'lease_until', 'cancel_requested_at')}`

const FENCE = `t.status = 'RUNNING' AND t.claims = v.claims AND t.lease_until IS NOT NULL`

/** MySQL 8.0.4 and later, MariaDB 10.6 and later. An UPDATE gives no rows back here, so claims select first. */
export function mysql({ path, hexIds, isMariaDb }: Table): Dialect {
  const same = sameId(hexIds)
  const when = `${told('enqueued_at')} AS enqueued_at`
  const returning = isMariaDb ? ` RETURNING CAST(id AS CHAR) AS row_key, unique_key, ${when}` : ''
  const insert = insertInto(path)
  const at = { path, guesses: new Map<number, number>() }
  const finish = finishOf(path, same)
  return sqlDialect({
    name: 'mysql',
    updateReturns: false,
    insertReturns: isMariaDb,
    maxStatement: 2 * 1024 * 1024,
    batch: valuesOf,
    claim: (session, claim) => claimPatiently(session, at, claim),
    exchange: (session, batch, claim) => finishAndClaim(session, at, claim, async (inside) => (await inside.query(finish, batch)).affected),
    sql: {
      insert: insert + returning,
      insertUnlessTaken: `${insert} ON DUPLICATE KEY UPDATE unique_key = ${path}.unique_key${returning}`,
      byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id`,
      enqueuedAt: `SELECT CAST(id AS CHAR) AS row_key, unique_key, ${when} FROM ${path} WHERE id IN (:keys)`,
      byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
      finish,
      takeOver: '',
      lockExpired: `SELECT ${KEY} FROM ${path} t WHERE t.id IN (:keys) AND t.status = 'RUNNING' AND t.lease_until < ${NOW} FOR UPDATE SKIP LOCKED`,
      settled: `SELECT ${KEY} FROM ${path} t JOIN ${rows('row_key', 'claims', 'status', 'exception_class_path')} ON ${same}
        WHERE t.claims = v.claims AND t.status = v.status AND t.lease_until IS NULL
          AND t.exception_class_path = CONVERT(v.exception_class_path USING utf8mb4) COLLATE utf8mb4_bin`,
      renew: `UPDATE ${path} t JOIN ${rows('row_key', 'claims', 'progress')} ON ${same}
        SET t.lease_until = ${leaseFrom(NOW)}, t.progress = COALESCE(v.progress, t.progress) WHERE ${FENCE}`,
      held: `SELECT ${KEY}, t.cancel_requested_at IS NOT NULL AS cancelled FROM ${path} t JOIN ${rows('row_key', 'claims')} ON ${same} WHERE ${FENCE}`,
      // Assignments happen from left to right: started_at must look at worker_ids before it changes.
      release: `UPDATE ${path} t JOIN ${rows('row_key', 'claims')} ON ${same}
        SET t.started_at = CASE WHEN JSON_LENGTH(t.worker_ids) > 1 THEN t.started_at END,
          t.worker_ids = JSON_REMOVE(t.worker_ids, CONCAT('$[', JSON_LENGTH(t.worker_ids) - 1, ']')), t.lease_until = NULL, t.status = 'READY'
        WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
      expired: `SELECT ${ROW} FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until < ${NOW} AND t.backend_name = :backendName LIMIT :limit`,
      prunable: `SELECT ${KEY} FROM ${path} t WHERE ${prunable()} AND (:last IS NULL OR t.id > :last) {queues} ORDER BY t.id LIMIT :limit`,
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

function finishOf(path: string, same: string): string {
  return `UPDATE ${path} t JOIN ${rows('row_key', 'claims', 'status', 'return_value', 'exception_class_path', 'traceback', 'attempt_error', 'progress', 'delay')} ON ${same}
    SET t.return_value = v.return_value, t.exception_class_path = v.exception_class_path, t.traceback = v.traceback,
      t.finished_at = CASE WHEN v.status = 'READY' THEN NULL ELSE ${NOW} END,
      t.run_after = CASE WHEN v.delay IS NULL THEN t.run_after ELSE ${NOW} + INTERVAL (v.delay * 1000) MICROSECOND END,
      t.attempt_errors = CASE WHEN v.attempt_error IS NULL THEN t.attempt_errors
        ELSE JSON_ARRAY_APPEND(COALESCE(t.attempt_errors, JSON_ARRAY()), '$', JSON_EXTRACT(v.attempt_error, '$')) END,
      t.progress = COALESCE(v.progress, t.progress),
      t.unique_key = CASE WHEN v.status <> 'READY' AND t.unique_key LIKE 'f:%' THEN NULL ELSE t.unique_key END,
      t.lease_until = NULL, t.cancel_requested_at = NULL, t.status = v.status
    WHERE ${FENCE} AND ${UNCANCELLED}`
}
