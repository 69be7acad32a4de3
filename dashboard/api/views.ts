import type { TaskResult } from '../../index'
import { STORED_VALUE } from '../../lib/exposed-result'
import type { RedactOptions } from '../options'
import type { Permission } from '../security/access'
import { Redaction } from '../security/redact'
import { excerptsOf, NO_EXCERPTS } from './excerpt'
import type { Listed, Progress, Whole } from './wire'

/** What of a value that may not be seen is said. */
const HIDDEN = '[hidden]'

type Result = TaskResult<unknown>

/** Who looks, as far as it decides what they see. */
export interface Looker {
  readonly access: ReadonlySet<Permission>
  readonly redact: RedactOptions
}

/** A result in a list: of its values, which may be large, a line. */
export function listed(result: Result, looker: Looker): Listed {
  return {
    ...factsOf(result),
    progress: progressOf(result, looker),
    error: result.errors.at(-1)?.exceptionClassPath ?? null,
    ...(isShown(result, looker) ? excerptsOf(result, redactionOf(looker)) : NO_EXCERPTS),
  }
}

/** All of one result, as far as somebody may see it. Its flow and its like are for the route to add. */
export function whole(result: Result, looker: Looker): Omit<Whole, 'flow' | 'latest'> {
  const { workerIds, errorCount } = result
  const facts = { ...factsOf(result), progress: progressOf(result, looker), workerIds, errorCount }
  if (!isShown(result, looker)) return { ...facts, ...hidden(result) }
  const redaction = redactionOf(looker)
  // The arguments first: a traceback may quote them.
  const values = {
    args: redaction.value(result.args),
    kwargs: redaction.value(result.kwargs),
    returnValue: redaction.value(Reflect.get(result, STORED_VALUE)),
  }
  const errors = result.errors.map(({ exceptionClassPath, traceback }) => ({
    exceptionClassPath,
    traceback: redaction.text(traceback),
  }))
  return { ...facts, ...values, errors }
}

/** Whether values of a result may be seen. */
export function isShown(result: Result, { access, redact }: Looker): boolean {
  return access.has('values') && (redact.show?.(result) ?? true)
}

function hidden({ errors }: Result): Pick<Whole, 'args' | 'kwargs' | 'returnValue' | 'errors'> {
  return {
    args: HIDDEN,
    kwargs: HIDDEN,
    returnValue: HIDDEN,
    errors: errors.map(({ exceptionClassPath }) => ({ exceptionClassPath, traceback: HIDDEN })),
  }
}

function redactionOf({ redact }: Looker): Redaction {
  return new Redaction({ keys: redact.keys ?? [] })
}

function factsOf(result: Result): Omit<Listed, 'progress' | 'error' | 'excerpt' | 'headline'> {
  return {
    id: result.id,
    task: result.taskName,
    status: result.status,
    isWaiting: result.isWaiting,
    attempts: result.attempts,
    priority: result.priority,
    queueName: result.queueName,
    backend: result.backend,
    enqueuedAt: iso(result.enqueuedAt),
    startedAt: iso(result.startedAt),
    finishedAt: iso(result.finishedAt),
    runAfter: iso(result.runAfter),
  }
}

/** Its note is a text of the task, and may quote its arguments. */
function progressOf(result: Result, looker: Looker): Progress | null {
  const { progress } = result
  if (progress === null) return null
  const { done, total, note } = progress
  if (note === null || note === '') return { done, total, note }
  if (!isShown(result, looker)) return { done, total, note: null }
  const redaction = redactionOf(looker)
  redaction.value([result.args, result.kwargs])
  return { done, total, note: redaction.text(String(note)) }
}

export function iso(instant: Date): string
export function iso(instant: Date | null): string | null
export function iso(instant: Date | null): string | null {
  return instant?.toISOString() ?? null
}
