import {
  InvalidTaskError,
  MalformedRowError,
  NotSerializableError,
  NotSupportedError,
  TaskNotFoundError,
} from '../errors/errors'
import {
  DoNotRetry,
  MaxAgeExceeded,
  RetryLater,
  TaskCancelled,
  WorkerLost,
} from '../errors/run-errors'
import { type ErrorRecord, isA, recordOf } from '../errors/error-record'
import { type AttemptError, tallyOf, withError } from '../errors/history'
import type { ErrorClass, Policy, Retry } from '../tasks/run-policy'
import type { ClaimedRow, Outcome } from '../store'
import { log } from '../events/logger'

/** What a failure is judged by. */
export interface Terms {
  readonly row: ClaimedRow
  readonly policy: Policy
  readonly signal: AbortSignal
}

/** A `retryOn` of the app's may throw; then there is no other run. */
export function worthAnother(cause: unknown, { row, policy }: Terms): number | null {
  try {
    return delayAfter(cause, policy.retry, row.values.errors)
  } catch (error) {
    log.error(
      `Task id=${row.values.id} path=${row.values.taskName}: retryOn failed: ${recordOf(error).traceback.split('\n')[0]}`,
    )
    return null
  }
}

/** They say that the task can never work, not that it did not work this time. */
const HOPELESS: readonly ErrorClass[] = [
  DoNotRetry,
  InvalidTaskError,
  MalformedRowError,
  MaxAgeExceeded,
  NotSerializableError,
  NotSupportedError,
  TaskNotFoundError,
]

const ONE_HOUR = 60 * 60 * 1000

/** Milliseconds until a failed task is worth another run; null: it has failed for good. `earlier`: the errors of its earlier runs. */
export function delayAfter(
  error: unknown,
  retry: Retry | null,
  earlier: readonly AttemptError[],
): number | null {
  if (isA(error, RetryLater)) return error.delay
  const failures = 1 + tallyOf(earlier).failures
  if (retry === null || failures >= retry.maxAttempts || !isWorthIt(error, retry)) return null
  return delayOf(retry, failures)
}

function delayOf(
  { delay = 1_000, factor = 2, maxDelay = ONE_HOUR, jitter = 0.2 }: Retry,
  failures: number,
): number {
  const grown = Math.min(maxDelay, delay * factor ** (failures - 1))
  return Math.round(grown * (1 - jitter * Math.random()))
}

function isWorthIt(error: unknown, { retryOn }: Retry): boolean {
  if (HOPELESS.some((kind) => isA(error, kind))) return false
  if (retryOn === undefined) return true
  return typeof retryOn === 'function' ? retryOn(error) : retryOn.some((kind) => isA(error, kind))
}

/** What is stored of an error: of one that was thrown to decide about retries its cause, if it has one. */
export function recordOfFailure(error: unknown): ErrorRecord {
  const isDecision = isA(error, DoNotRetry) || isA(error, RetryLater)
  return recordOf(isDecision && error.cause !== undefined ? error.cause : error)
}

/**
 * Decides what a row becomes whose worker was lost: it runs again, unless that happened too often or it must not run twice.
 * Lost workers are counted by `maxCrashes`, and are no failures of the task.
 */
export function afterCrash(row: ClaimedRow, maxCrashes: number): Outcome {
  const held = { key: row.key, claims: row.claims }
  // A cancelled row can end in no other way.
  if (row.cancelled) return { ...held, status: 'FAILED', error: recordOf(new TaskCancelled()) }
  if (row.malformed !== null)
    return { ...held, status: 'FAILED', error: recordOf(new MalformedRowError(row.malformed)) }
  const error = recordOf(new WorkerLost(row.values.workerIds.at(-1) ?? 'unknown'))
  const crashes = 1 + tallyOf(row.values.errors).crashes
  const isOver = crashes >= maxCrashes || row.options['rerunAfterCrash'] === false
  return isOver
    ? { ...held, status: 'FAILED', error }
    : {
        ...held,
        status: 'READY',
        errors: withError(row.values, { ...error, crash: true }),
        delay: null,
      }
}
