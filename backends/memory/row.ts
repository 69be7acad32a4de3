import { instantOf, utcText } from '../../entities/formats'
import type { UserKey } from '../../lib/order'
import { clock } from '../../lib/clock'
import { CANCELLED, type ErrorRecord } from '../../lib/errors/error-record'
import { withRetry, workersAfter } from '../../lib/errors/history'
import type { Held, Outcome } from '../../lib/store'
import { keyAfter } from '../keys'
import { MAX_CLAIMS, type RawRow, valuesOf } from '../database/row'
import { UNDELAYED } from '../database/enqueueing/shared-values'

/** A row as a database would keep it: JSON and instants are text, so that nothing is shared with the caller. */
export type MemoryRow = { -readonly [Column in keyof RawRow]: RawRow[Column] } & {
  /** When the lease ends, by the library's clock: changes of the system's time must not end leases. Null: no lease. */
  leaseEnds: number | null
}

/** An instant as the row holds it. */
export function instantText(ms: number): string {
  return utcText(new Date(ms))
}

/** What a claim changes. It gives no lease: see `hold`. */
export function claim(row: MemoryRow, workerId: string, now: number): void {
  row.status = 'RUNNING'
  row.started_at = instantText(now)
  row.claims = Math.min(Number(row.claims ?? 0), MAX_CLAIMS - 1) + 1
  row.cancel_requested_at = null
  row.unique_key = keyAfter('claim', row.unique_key)
  row.worker_ids = JSON.stringify([...workersOf(row.worker_ids), workerId])
}

/** What holding a row for another lease changes. */
export function hold(row: MemoryRow, leaseSeconds: number, now: number): void {
  row.lease_until = instantText(now + leaseSeconds * 1000)
  row.leaseEnds = clock.now() + leaseSeconds * 1000
}

/** Whether the row is as that claim left it. */
export function isHeldBy(row: MemoryRow, { claims }: Held): boolean {
  return row.status === 'RUNNING' && row.claims === claims && row.lease_until !== null
}

/** Whether the claim that the outcome is of may write it: a cancelled row ends as cancelled and no other way. */
export function mayFinish(row: MemoryRow, outcome: Outcome): boolean {
  return (
    isHeldBy(row, outcome) && (row.cancel_requested_at === null || classOf(outcome) === CANCELLED)
  )
}

/** Whether the row already says what the outcome says. */
export function stands(row: MemoryRow, outcome: Outcome): boolean {
  return (
    row.claims === outcome.claims &&
    row.status === outcome.status &&
    row.lease_until === null &&
    row.exception_class_path === classOf(outcome)
  )
}

/** What an outcome changes. */
export function finish(row: MemoryRow, outcome: Outcome, now: number): void {
  row.progress = outcome.progress ?? row.progress
  letGo(row)
  if (outcome.status === 'READY') return putBack(row, outcome, now)
  end(row, outcome.status, outcome.status === 'FAILED' ? outcome.error : NO_ERROR, now)
  row.return_value = outcome.status === 'SUCCESSFUL' ? outcome.returnValue : null
}

/** What cancelling a row that waits changes, or any other end of it. */
export function end(
  row: MemoryRow,
  status: 'SUCCESSFUL' | 'FAILED',
  error: ErrorRecord,
  now: number,
): void {
  row.status = status
  row.finished_at = instantText(now)
  row.exception_class_path = error.exceptionClassPath
  row.traceback = error.traceback
  row.unique_key = keyAfter('finish', row.unique_key)
}

/** Whether the row keeps another one of its key out. */
export function keeps(row: MemoryRow, key: UserKey, now: number): boolean {
  if (key.kind === 'debounce') return row.status === 'READY'
  if (row.status === 'READY' || row.status === 'RUNNING') return true
  return key.kind === 'throttle' && (row.enqueued_at ?? '') > instantText(now - key.every)
}

/** What another call of a debounce changes in a row that waits. */
export function postpone(
  row: MemoryRow,
  argsKwargs: string,
  { wait, atMost }: UserKey & { kind: 'debounce' },
  now: number,
): void {
  const last =
    (instantOf(row.enqueued_at ?? '')?.getTime() ?? now) + (atMost ?? Number.POSITIVE_INFINITY)
  row.args_kwargs = argsKwargs
  row.run_after = instantText(Math.min(now + wait, last))
}

/** What giving a row back unfinished changes. */
export function release(row: MemoryRow): void {
  letGo(row)
  row.status = 'READY'
  const workers = workersOf(row.worker_ids).slice(0, -1)
  row.worker_ids = JSON.stringify(workers)
  if (workers.length === 0) row.started_at = null
}

/** What retrying a FAILED row by hand changes. */
export function retry(row: MemoryRow): void {
  // A FAILED row's errors end with that which made it so.
  const errors = valuesOf(row).errors
  const last = errors.at(-1) ?? NO_ERROR
  setErrors(row, withRetry(errors.slice(0, -1), last))
  letGo(row)
  row.status = 'READY'
  row.run_after = UNDELAYED
  row.finished_at = null
  row.progress = null
}

function putBack(row: MemoryRow, outcome: Outcome & { status: 'READY' }, now: number): void {
  row.status = 'READY'
  row.return_value = null
  row.finished_at = null
  if (outcome.delay !== null) row.run_after = instantText(now + outcome.delay)
  setErrors(row, outcome.errors)
  row.worker_ids = JSON.stringify(workersAfter(workersOf(row.worker_ids)))
}

/** The row has failed once more, and is to run again. */
function setErrors(row: MemoryRow, errors: readonly ErrorRecord[]): void {
  row.attempt_errors = JSON.stringify(errors)
  row.exception_class_path = ''
  row.traceback = ''
}

function letGo(row: MemoryRow): void {
  row.lease_until = null
  row.leaseEnds = null
  row.cancel_requested_at = null
}

function classOf(outcome: Outcome): string {
  return outcome.status === 'FAILED' ? outcome.error.exceptionClassPath : ''
}

/** What somebody wrote in place of a list stays, so that the row is found to be malformed. */
function workersOf(text: string | null): unknown[] {
  try {
    const workers = JSON.parse(text ?? 'null') as unknown
    return Array.isArray(workers) ? workers : [workers]
  } catch {
    return [text]
  }
}

const NO_ERROR: ErrorRecord = { exceptionClassPath: '', traceback: '' }
