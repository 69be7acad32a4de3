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
import { briefly, type ErrorRecord, isA, recordOf } from '../errors/error-record'
import { type AttemptError, endsByCrash, tallyOf, withError } from '../errors/history'
import { briefName } from '../errors/suggestions'
import type { ErrorClass, Policy, Retry } from '../tasks/run-policy'
import type { ClaimedRow, Outcome } from '../store'
import { log } from '../events/logger'

/** What a failure is judged by. */
export interface Terms {
  readonly row: ClaimedRow
  readonly policy: Policy
  readonly signal: AbortSignal
}

/** What the app's own code does here, `retryOn` and getters of its errors, may throw; then there is no other run. */
export function worthAnother(cause: unknown, { row, policy }: Terms): number | null {
  try {
    return delayAfter(cause, policy.retry, row.values.errors)
  } catch (error) {
    log.error(
      `Task id=${row.values.id} path=${briefName(row.values.taskName)}: retryOn failed: ${briefly(error)}`,
    )
    return null
  }
}

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
  if (isHopeless(error)) return false
  if (retryOn === undefined) return true
  return typeof retryOn === 'function'
    ? answerOf(retryOn(error))
    : retryOn.some((kind) => isA(error, kind))
}

/** @throws InvalidTaskError for a promise, which is true whatever it resolves to. */
function answerOf(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return Boolean(answer)
  // Nobody waits for it, and its rejection must not end the process.
  void Promise.resolve(answer).catch(() => {})
  throw new InvalidTaskError(
    'It gave an object in place of true or false.',
    'Make it an ordinary function that returns true or false: no promise is awaited here.',
  )
}

/** Whether the error says that the task can never work, and not that it did not work this time. */
export function isHopeless(error: unknown): boolean {
  return HOPELESS.some((kind) => isA(error, kind))
}

/** What is stored of an error: of one that was thrown to decide about retries its cause, if it has one. */
export function recordOfFailure(error: unknown): ErrorRecord {
  const isDecision = isA(error, DoNotRetry) || isA(error, RetryLater)
  return recordOf((isDecision ? causeOf(error) : undefined) ?? error)
}

/** The cause of an error of the app's; a getter there may throw. */
function causeOf(error: Error): unknown {
  try {
    return error.cause
  } catch {
    return undefined
  }
}

/**
 * Decides what a row becomes whose worker was lost: it runs again, unless that happened too often or it must not run twice.
 * Lost workers are counted by `maxCrashes`, and are no failures of the task.
 */
export function afterCrash(
  row: ClaimedRow,
  maxCrashes: number,
  error = recordOf(new WorkerLost(row.values.workerIds.at(-1) ?? 'unknown')),
): Outcome {
  const held = { key: row.key, claims: row.claims }
  // A cancelled row can end in no other way.
  if (row.cancelled) return { ...held, status: 'FAILED', error: recordOf(new TaskCancelled()) }
  if (row.malformed !== null)
    return { ...held, status: 'FAILED', error: recordOf(new MalformedRowError(row.malformed)) }
  return isLastRun(row, maxCrashes)
    ? { ...held, status: 'FAILED', error }
    : {
        ...held,
        status: 'READY',
        errors: withError(row.values, { ...error, crash: true }),
        delay: null,
      }
}

/** Whether the row would be FAILED if the worker that runs it were lost. */
export function isLastRun({ values, options }: ClaimedRow, maxCrashes: number): boolean {
  return options['rerunAfterCrash'] === false || 1 + tallyOf(values.errors).crashes >= maxCrashes
}

/** Whether it has cost all workers that it may cost but one, the one of its latest run among them. So it may be what kills them. */
export function isSuspect(row: ClaimedRow, maxCrashes: number): boolean {
  return endsByCrash(row.values.errors) && isLastRun(row, maxCrashes)
}
