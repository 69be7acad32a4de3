import type { TasksError } from '../errors/errors'
import { type ErrorRecord, recordOf } from '../errors/error-record'
import { withFailure } from '../errors/history'
import { assertDelay } from '../errors/run-errors'
import { afterCrash, recordOfFailure, worthAnother, type Terms } from './retry'
import { isDueToStop } from './abort'
import type { ClaimedRow, Outcome } from '../store'

/** How one run ended: plain data, since it may come from another process. */
export type RunOutcome = Success | Failure | NotBegun

export interface Success {
  readonly status: 'SUCCESSFUL'
  /** JSON text; null for none. */
  readonly returnValue: string | null
  /** The run's own transaction has already stored this in the row. */
  readonly isStored?: true
}

export interface Failure {
  readonly status: 'FAILED'
  readonly error: ErrorRecord
  /** Delay in ms until the next run; null: no other run. */
  readonly delay: number | null
  /** It ended because its worker stops, and for no reason of its own. */
  readonly isDueToStop: boolean
  /** The task did nothing wrong, and what its run did is not known: it counts as a lost worker does. */
  readonly isCrash?: true
}

/**
 * The task's own code was not called, because of trouble of the set-up: no connection for its transaction, a child process
 * that could not load the app. Its row is given back, and nothing is counted against the task.
 */
export interface NotBegun {
  readonly status: 'NOT_BEGUN'
  /** null: the task is not defined in this process. */
  readonly error: ErrorRecord | null
}

export const UNKNOWN_HERE: NotBegun = { status: 'NOT_BEGUN', error: null }

/** The outcome of a run that trouble of the set-up, `cause`, kept from beginning. */
export function notBegun(cause: unknown): NotBegun {
  return { status: 'NOT_BEGUN', error: recordOf(cause) }
}

/**
 * The outcome of a run that threw `cause`. Never throws. Must be called where the error itself is at hand: retries are
 * decided by its class, which its record no longer has.
 */
export function failed(cause: unknown, terms: Terms): Failure {
  return {
    status: 'FAILED',
    error: recordOfFailure(cause),
    delay: worthAnother(cause, terms),
    isDueToStop: isDueToStop(cause, terms.signal),
  }
}

/** The outcome of a run that was aborted for `reason`, whatever it returned or threw. */
export function aborted(reason: TasksError, terms: Terms, mayRetry: boolean): Failure {
  const failure = failed(reason, terms)
  return mayRetry ? failure : { ...failure, delay: null }
}

/** What a failed run makes of its row. */
export function outcomeOf(row: ClaimedRow, failure: Failure, maxCrashes: number): Outcome {
  const { key, claims, values } = row
  const { error, delay, isCrash } = failure
  if (isCrash) return afterCrash(row, maxCrashes, error)
  const failed: Outcome = { key, claims, status: 'FAILED', error }
  if (delay === null) return failed
  try {
    // No database could store what a task may have written into its error, or a child process may have sent.
    assertDelay(delay)
    return { key, claims, status: 'READY', errors: withFailure(values, error), delay }
  } catch (refusal) {
    return { ...failed, error: recordOf(refusal) }
  }
}
