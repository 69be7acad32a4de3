import type { TasksError } from '../errors/errors'
import { type ErrorRecord, recordOf } from '../errors/error-record'
import { log } from '../events/logger'
import type { Policy } from '../tasks/run-policy'
import { delayAfter, recordOfFailure } from './retry'
import { isDueToStop } from '../stop-reasons'
import type { ClaimedRow } from '../store'

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

/** What a failure is judged by. */
export interface Terms {
  readonly row: ClaimedRow
  readonly policy: Policy
  readonly signal: AbortSignal
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

/** A `retryOn` of the app's may throw; then there is no other run. */
function worthAnother(cause: unknown, { row, policy }: Terms): number | null {
  try {
    return delayAfter(cause, policy.retry, row.values.errors)
  } catch (error) {
    log.error(
      `Task id=${row.values.id} path=${row.values.taskName}: retryOn failed: ${recordOf(error).traceback.split('\n')[0]}`,
    )
    return null
  }
}
