import type { TaskResult } from '../../index'
import type { RedactOptions } from '../options'
import type { Permission } from '../security/access'
import { Redaction } from '../security/redact'

/** What of a value that may not be seen is said. */
const HIDDEN = '[hidden]'

/** A result in a list: without its values, which may be large. */
export function listed(result: TaskResult<unknown>): Record<string, unknown> {
  return {
    id: result.id,
    task: result.taskName,
    status: result.status,
    isWaiting: result.isWaiting,
    attempts: result.attempts,
    progress: result.progress,
    priority: result.priority,
    queueName: result.queueName,
    backend: result.backend,
    enqueuedAt: result.enqueuedAt,
    startedAt: result.startedAt,
    finishedAt: result.finishedAt,
    runAfter: result.runAfter,
    error: result.errors.at(-1)?.exceptionClassPath ?? null,
  }
}

/** All of one result, as far as somebody may see it. */
export function whole(
  result: TaskResult<unknown>,
  access: ReadonlySet<Permission>,
  { keys = [], show = () => true }: RedactOptions,
): Record<string, unknown> {
  const { args, kwargs, returnValue, errors, ...rest } = result.toJSON() as Whole
  const isShown = access.has('values') && show(result)
  if (!isShown)
    return {
      ...rest,
      args: HIDDEN,
      kwargs: HIDDEN,
      returnValue: HIDDEN,
      progress: null,
      errors: errors.map((error) => ({ ...error, traceback: HIDDEN })),
    }
  const redaction = new Redaction({ keys })
  // The arguments first: a traceback may quote them.
  const values = {
    args: redaction.value(args),
    kwargs: redaction.value(kwargs),
    returnValue: redaction.value(returnValue),
  }
  return {
    ...rest,
    ...values,
    progress: redaction.value(rest['progress']),
    errors: errors.map((error) => ({ ...error, traceback: redaction.text(error.traceback) })),
  }
}

interface Whole extends Record<string, unknown> {
  readonly args: unknown
  readonly kwargs: unknown
  readonly returnValue: unknown
  readonly errors: readonly { readonly exceptionClassPath: string; readonly traceback: string }[]
}
