import type { DBTaskResult } from '../../../../entities/db-task-result.entity'
import type { ErrorRecord } from '../../../../lib/errors/error-record'
import { workersAfter } from '../../../../lib/errors/history'
import type { TaskStatus } from '../../../../lib/record'
import type { FinishRow, NoteRow } from '../../row'

/** What a claim changes. */
export function afterClaim(
  { claims, workerIds }: DBTaskResult,
  workerId: string,
  leaseSeconds: number,
): Partial<DBTaskResult> {
  // What another program wrote instead of a list stays, so that the row is reported as malformed.
  const earlier = Array.isArray(workerIds) ? workerIds : [workerIds]
  const startedAt = new Date()
  const leaseUntil = new Date(startedAt.getTime() + leaseSeconds * 1000)
  return {
    status: 'RUNNING',
    startedAt,
    leaseUntil,
    claims: claims + 1,
    workerIds: [...earlier, workerId],
    cancelRequestedAt: null,
  }
}

/** What an outcome changes. */
export function afterFinish(
  { progress, runAfter, uniqueKey, workerIds }: DBTaskResult,
  row: FinishRow,
): Partial<DBTaskResult> {
  const isFinal = row.status !== 'READY'
  return {
    status: row.status as TaskStatus,
    returnValue: row.return_value === null ? null : (JSON.parse(row.return_value) as unknown),
    exceptionClassPath: row.exception_class_path,
    traceback: row.traceback,
    finishedAt: isFinal ? new Date() : null,
    runAfter: row.delay === null ? runAfter : new Date(Date.now() + row.delay),
    ...(row.attempt_errors !== null && historyAfter(workerIds, row.attempt_errors)),
    progress:
      row.progress === null ? progress : (JSON.parse(row.progress) as DBTaskResult['progress']),
    uniqueKey: isFinal && uniqueKey?.startsWith('f:') ? null : uniqueKey,
    leaseUntil: null,
    cancelRequestedAt: null,
  }
}

/** What an attempt changes that is followed by another. */
function historyAfter(workerIds: string[], attemptErrors: string): Partial<DBTaskResult> {
  return {
    attemptErrors: JSON.parse(attemptErrors) as DBTaskResult['attemptErrors'],
    workerIds: [...workersAfter(workerIds)],
  }
}

/** What cancelling a READY row changes. */
export function afterCancel(
  { uniqueKey }: DBTaskResult,
  error: ErrorRecord,
): Partial<DBTaskResult> {
  return {
    status: 'FAILED',
    finishedAt: new Date(),
    ...error,
    uniqueKey: uniqueKey?.startsWith('f:') ? null : uniqueKey,
  }
}

/** What a renewal changes. */
export function afterRenewal(leaseSeconds: number): Partial<DBTaskResult> {
  return { leaseUntil: new Date(Date.now() + leaseSeconds * 1000) }
}

/** What a note of progress changes. */
export function afterNote({ progress }: NoteRow): Partial<DBTaskResult> {
  return { progress: JSON.parse(progress) as DBTaskResult['progress'] }
}

/** What releasing a row changes. */
export function afterRelease({ startedAt, workerIds }: DBTaskResult): Partial<DBTaskResult> {
  return {
    status: 'READY',
    leaseUntil: null,
    workerIds: workerIds.slice(0, -1),
    startedAt: workerIds.length > 1 ? startedAt : null,
  }
}

/** Whether the row already holds the outcome. */
export function isSettled(
  { claims, exceptionClassPath, leaseUntil, status }: DBTaskResult,
  row: FinishRow,
): boolean {
  return (
    claims === row.claims &&
    status === row.status &&
    exceptionClassPath === row.exception_class_path &&
    leaseUntil === null
  )
}
