import { CANCELLED, type ErrorRecord, PUBLIC } from '../errors/error-record'
import type { TaskResult } from '../result'
import type { Progress, TaskStatus } from '../row/record'

/** What the user who started a task may see of it. As JSON, instants are texts of ISO 8601. */
export interface PublicView<Return> {
  readonly id: string
  readonly status: TaskStatus
  /** READY, but it waits for earlier tasks of its flow. */
  readonly isWaiting: boolean
  readonly progress: Progress | null
  readonly enqueuedAt: Date | null
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  /** Only of a task that is SUCCESSFUL. */
  readonly returnValue?: Return extends void ? null : Return
  /** Only of a task that is FAILED. */
  readonly error?: { readonly message: string }
}

/** In the place of a message that was not written for users. */
const FAILED = 'The task failed.'
const WAS_CANCELLED = 'The task was cancelled.'
const DO_NOT_RETRY = 'typeorm_tasks.DoNotRetry'

/** What follows the message in a stored error. */
const AFTER_MESSAGE = /\n(?: {4}at |Caused by: |Error \d+ of \d+: |… cut, )/
const MOST_CHARACTERS = 1_000

/**
 * The part of a result that a web server may give to the user who started the task: without its arguments, tracebacks and
 * worker ids. The message of an error is in it only if the task threw a `PublicError`, or a class that extends it, or
 * `DoNotRetry`; of other errors, which may name hosts, files and values, there is a general sentence.
 */
export function publicView<Return>(result: TaskResult<Return>): PublicView<Return> {
  const { id, status, isWaiting, progress, enqueuedAt, startedAt, finishedAt } = result
  return {
    id,
    status,
    isWaiting,
    progress,
    enqueuedAt,
    startedAt,
    finishedAt,
    ...(status === 'SUCCESSFUL' && { returnValue: result.returnValue }),
    ...(status === 'FAILED' && { error: { message: publicMessage(result.errors.at(-1)) } }),
  }
}

function publicMessage(error: ErrorRecord | undefined): string {
  const path = error?.exceptionClassPath ?? ''
  if (path === CANCELLED) return WAS_CANCELLED
  const isPublic = path === PUBLIC || path.startsWith(`${PUBLIC}.`) || path === DO_NOT_RETRY
  return (isPublic && messageIn(error?.traceback ?? '')) || FAILED
}

/** Where nothing marks the end of the message, what follows its first line may be a stack in a form of somebody else. */
function messageIn(traceback: string): string {
  const end = AFTER_MESSAGE.exec(traceback)?.index ?? traceback.search(/\n|$/)
  const [, message = ''] = /^[\w$.]+: ([^]*)$/.exec(traceback.slice(0, end)) ?? []
  return message.slice(0, MOST_CHARACTERS).toWellFormed()
}
