import type { TaskResult } from '../result'
import type { TaskStatus } from '../row/record'
import type { TaskQuery, TaskState } from '../browser'
import { hasArgument, hasText } from './match'

type Result = TaskResult<unknown>
type Wanted = Partial<TaskQuery>

/** The status of a row in that state. */
export function statusOf(state: TaskState): TaskStatus {
  return state === 'DUE' || state === 'LATER' || state === 'WAITING' ? 'READY' : state
}

/** Whether a result is one of those that are asked for; queue and name are for the list to compare. */
export function isMatch(result: Result, query: Wanted, now: Date): boolean {
  const { state } = query
  return (
    (state === undefined || isIn(state, result, now)) &&
    hasRun(result, query) &&
    isEnqueued(result, query) &&
    hasValues(result, query)
  )
}

function hasValues(result: Result, { args = [], text, isShown }: Wanted): boolean {
  return (
    (isShown?.(result) ?? true) &&
    args.every((each) => hasArgument(result, each)) &&
    (text === undefined || hasText(result, text))
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
