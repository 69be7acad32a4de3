import type { TaskResult, TaskStatus } from '../../index'
import type { ArgumentQuery, TaskQuery, TaskState } from '../../lib/browser'
import { isRecord } from '../../lib/errors/option-checks'

type Result = TaskResult<unknown>
type Wanted = Partial<TaskQuery>

/** The status of a row in that state. */
export function statusOf(state: TaskState): TaskStatus {
  return state === 'DUE' || state === 'LATER' || state === 'WAITING' ? 'READY' : state
}

/** Whether a result is one of those that are asked for; queue and name are for the list to compare. */
export function isMatch(result: Result, query: Wanted, now: Date): boolean {
  const { state, args = [], text } = query
  return (
    (state === undefined || isIn(state, result, now)) &&
    hasRun(result, query) &&
    args.every((each) => hasArgument(result, each)) &&
    (text === undefined || hasText(result, text)) &&
    isEnqueued(result, query)
  )
}

function hasRun(result: Result, { workerId, error }: Wanted): boolean {
  if (workerId !== undefined && !result.workerIds.includes(workerId)) return false
  return error === undefined || (result.status === 'FAILED' && errorOf(result) === error)
}

function isIn(state: TaskState, { status, isWaiting, runAfter }: Result, now: Date): boolean {
  if (status !== statusOf(state)) return false
  const isLater = runAfter !== null && runAfter > now
  if (state === 'WAITING') return isWaiting
  if (state === 'LATER') return !isWaiting && isLater
  return state !== 'DUE' || (!isWaiting && !isLater)
}

function isEnqueued({ enqueuedAt }: Result, { from, to }: Wanted): boolean {
  if (enqueuedAt === null) return from === undefined && to === undefined
  return (from === undefined || enqueuedAt >= from) && (to === undefined || enqueuedAt < to)
}

function errorOf({ errors }: Result): string | undefined {
  return errors.at(-1)?.exceptionClassPath
}

/** A path begins with the place of an argument, or with the name of a keyword argument. */
function hasArgument({ args, kwargs }: Result, { path, value }: ArgumentQuery): boolean {
  let found: unknown = /^\d+(\.|$)/.test(path) ? args : kwargs
  for (const name of path.split('.')) {
    if (!Array.isArray(found) && !isRecord(found)) return false
    found = Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined
  }
  if (found === undefined) return false
  return (typeof found === 'string' ? found : JSON.stringify(found)) === value
}

function hasText({ args, kwargs, taskName, errors }: Result, text: string): boolean {
  const { exceptionClassPath = '', traceback = '' } = errors.at(-1) ?? {}
  return [JSON.stringify(args), JSON.stringify(kwargs), taskName, exceptionClassPath, traceback]
    .join('\n')
    .toLowerCase()
    .includes(text.toLowerCase())
}
