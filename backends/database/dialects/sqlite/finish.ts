import { MOST_WORKERS, WORKER_LEFT_OUT } from '../../../../lib/errors/history'
import { keyAfterSql } from '../../../keys'
import { UNCANCELLED } from '../sql-text'
import { AFTER_ALL, FENCE, rows } from './columns'
import { instant } from './instants'

/** `someAgain`: rows are among them that are to run again. For others SQLite would copy the histories as they are (measured: a tenth more time). */
export function finishOf(path: string, someAgain: boolean): string {
  const history = someAgain
    ? `attempt_errors = coalesce(v.attempt_errors, t.attempt_errors),
      worker_ids = CASE WHEN v.attempt_errors IS NULL OR json_array_length(t.worker_ids) < ${MOST_WORKERS} THEN t.worker_ids ELSE json_remove(t.worker_ids, '$[${WORKER_LEFT_OUT}]') END,`
    : ''
  return `UPDATE ${path} AS t SET status = v.status, return_value = v.return_value, exception_class_path = v.exception_class_path, traceback = v.traceback,
      finished_at = CASE WHEN v.status = 'READY' THEN NULL ELSE ${AFTER_ALL} END,
      run_after = CASE WHEN v.delay IS NULL THEN t.run_after ELSE ${instant("'+' || (v.delay / 1000.0) || ' seconds'")} END,
      ${history}
      progress = coalesce(v.progress, t.progress),
      unique_key = ${keyAfterSql('finish', 't.unique_key', { when: "v.status <> 'READY' AND " })},
      lease_until = NULL, cancel_requested_at = NULL
    FROM ${rows('row_key', 'claims', 'status', 'return_value', 'exception_class_path', 'traceback', ...(someAgain ? ['attempt_errors'] : []), 'progress', 'delay')}
    WHERE ${FENCE} AND ${UNCANCELLED}`
}
