import type { TasksError } from '../errors/errors'
import { type ErrorRecord } from '../errors/error-record'
import { recordOfFailure, worthAnother, type Terms } from './retry'
import { isDueToStop } from './abort'

/** How one run went: plain data, since it may come from another process. */
export type Verdict = Success | Failure

export interface Success {
  readonly status: 'SUCCESSFUL'
  /** JSON text; null for none. */
  readonly returnValue: string | null
  /** The row says so already. */
  readonly isStored?: true
}

export interface Failure {
  readonly status: 'FAILED'
  readonly error: ErrorRecord
  /** Milliseconds until it is worth another run; null: it has failed for good. */
  readonly delay: number | null
  /** It ended because its worker stops, and for no reason of its own. */
  readonly isDueToStop: boolean
}

/** What becomes of a run that threw this. Never throws; it is asked where the error is at hand, for a record of it decides nothing. */
export function failed(cause: unknown, terms: Terms): Failure {
  return {
    status: 'FAILED',
    error: recordOfFailure(cause),
    delay: worthAnother(cause, terms),
    isDueToStop: isDueToStop(cause, terms.signal),
  }
}

/** What becomes of a run that was told to stop, whatever it still came to. */
export function stopped(reason: TasksError, terms: Terms, mayRetry: boolean): Failure {
  const failure = failed(reason, terms)
  return mayRetry ? failure : { ...failure, delay: null }
}
