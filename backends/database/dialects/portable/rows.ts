import type { DBTaskResult } from '../../../../entities/db-task-result.entity'
import type { ErrorRecord } from '../../../../lib/errors/error-record'
import { workersAfter } from '../../../../lib/errors/history'
import type { TaskStatus } from '../../../../lib/row/record'
import type { Postponement } from '../dialect'
import { keyAfter } from '../../../keys'
import { type FinishRow, MAX_CLAIMS, type NoteRow } from '../../row'

/** What a claim changes. */
export function afterClaim(
  { claims, workerIds, enqueuedAt, uniqueKey }: DBTaskResult,
  workerId: string,
  leaseSeconds: number,
): Partial<DBTaskResult> {
  // What another program wrote instead of a list stays, so that the row is reported as malformed.
  const earlier = Array.isArray(workerIds) ? workerIds : [workerIds]
  return {
    status: 'RUNNING',
    startedAt: nowAfter(enqueuedAt),
    leaseUntil: new Date(Date.now() + leaseSeconds * 1000),
    claims: Math.min(claims, MAX_CLAIMS - 1) + 1,
    workerIds: [...earlier, workerId],
    cancelRequestedAt: null,
    uniqueKey: keyAfter('claim', uniqueKey),
  }
}

/** Now, and not before another instant of the row: that may have microseconds, which are cut off in a Date. */
function nowAfter(earlier: Date | null): Date {
  return new Date(Math.max(Date.now(), earlier === null ? 0 : earlier.getTime() + 1))
}

/** What an outcome changes. */
export function afterFinish(
  { progress, runAfter, startedAt, uniqueKey, workerIds }: DBTaskResult,
  row: FinishRow,
): Partial<DBTaskResult> {
  const isFinal = row.status !== 'READY'
  return {
    status: row.status as TaskStatus,
    returnValue: row.return_value === null ? null : (JSON.parse(row.return_value) as unknown),
    exceptionClassPath: row.exception_class_path,
    traceback: row.traceback,
    finishedAt: isFinal ? nowAfter(startedAt) : null,
    runAfter: row.delay === null ? runAfter : new Date(Date.now() + row.delay),
    ...(row.attempt_errors !== null && historyAfter(workerIds, row.attempt_errors)),
    progress:
      row.progress === null ? progress : (JSON.parse(row.progress) as DBTaskResult['progress']),
    uniqueKey: isFinal ? keyAfter('finish', uniqueKey) : uniqueKey,
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
  { enqueuedAt, uniqueKey }: DBTaskResult,
  error: ErrorRecord,
): Partial<DBTaskResult> {
  return {
    status: 'FAILED',
    finishedAt: nowAfter(enqueuedAt),
    ...error,
    uniqueKey: keyAfter('finish', uniqueKey),
  }
}

/** What a call of a debounce changes in a READY row. */
export function afterPostponement(
  enqueuedAt: Date | null,
  { args_kwargs, wait, atMost }: Postponement,
): Partial<DBTaskResult> {
  const last = atMost === null ? Number.POSITIVE_INFINITY : (enqueuedAt?.getTime() ?? 0) + atMost
  return {
    argsKwargs: JSON.parse(args_kwargs) as DBTaskResult['argsKwargs'],
    runAfter: new Date(Math.min(Date.now() + wait, last)),
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
export function afterRelease(
  { runAfter, startedAt, workerIds }: DBTaskResult,
  delay: number | null,
): Partial<DBTaskResult> {
  return {
    runAfter: delay === null ? runAfter : new Date(Date.now() + delay),
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
