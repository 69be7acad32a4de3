import type { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { hexOf, instantOf, NO_DELAY } from '../../../../entities/formats'
import type { ErrorRecord } from '../../../../lib/errors/error-record'
import type { TaskStatus } from '../../../../lib/record'
import type { NewRows } from '../../row'
import type { SharedValues } from '../../row'
import type { RenewRow } from '../../row'
import type { FinishRow } from '../../row'

/** A new row as the entity. */
export function newEntity(
  call: NewRows['calls'][number],
  row: SharedValues,
  enqueuedAt: Date,
): Partial<DBTaskResult> {
  return {
    id: call.row_key,
    status: 'READY',
    enqueuedAt,
    argsKwargs: JSON.parse(call.args_kwargs) as DBTaskResult['argsKwargs'],
    priority: row.priority,
    taskPath: row.task_path,
    workerIds: [],
    queueName: row.queue_name,
    backendName: row.backend_name,
    runAfter: instantOf(row.run_after) ?? NO_DELAY,
    exceptionClassPath: '',
    traceback: '',
    claims: 0,
    uniqueKey: row.unique_key,
    options: row.options === null ? null : (JSON.parse(row.options) as Record<string, unknown>),
  }
}

/** What a claim changes. */
export function afterClaim(
  { claims, workerIds }: DBTaskResult,
  workerId: string,
  leaseSeconds: number,
): Partial<DBTaskResult> {
  // What somebody else wrote in place of a list stays, so that the row is told to be malformed.
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
  { attemptErrors, progress, runAfter, uniqueKey }: DBTaskResult,
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
    attemptErrors:
      row.attempt_error === null
        ? attemptErrors
        : [...(attemptErrors ?? []), JSON.parse(row.attempt_error) as ErrorRecord],
    progress:
      row.progress === null ? progress : (JSON.parse(row.progress) as DBTaskResult['progress']),
    uniqueKey: isFinal && uniqueKey?.startsWith('f:') ? null : uniqueKey,
    leaseUntil: null,
    cancelRequestedAt: null,
  }
}

/** What cancelling a row that waits changes. */
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

/** What holding a row for longer changes. */
export function afterRenewal({ progress }: RenewRow, leaseSeconds: number): Partial<DBTaskResult> {
  const leaseUntil = new Date(Date.now() + leaseSeconds * 1000)
  return progress === null
    ? { leaseUntil }
    : { leaseUntil, progress: JSON.parse(progress) as DBTaskResult['progress'] }
}

/** What giving a row back unfinished changes. */
export function afterRelease({ startedAt, workerIds }: DBTaskResult): Partial<DBTaskResult> {
  return {
    status: 'READY',
    leaseUntil: null,
    workerIds: workerIds.slice(0, -1),
    startedAt: workerIds.length > 1 ? startedAt : null,
  }
}

/** Whether the row already is as the outcome says. */
export function stands(
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

/** The id as the database spells it. */
export function keyOf({ id }: DBTaskResult, hexIds: boolean): string {
  return hexIds ? hexOf(id) : id
}
