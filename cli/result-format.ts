import { oneLine } from '../lib/errors/foreign-text'
import { FIRST_ERRORS } from '../lib/errors/history'
import type { TaskResult } from '../lib/result'

type Result = TaskResult<unknown>

export const HEADER = [
  'id',
  'status',
  'task',
  'queue',
  'priority',
  'enqueued',
  'run_after',
  'duration',
]

/** One line of the list. */
export function cellsOf(result: Result): string[] {
  return [
    result.id,
    result.status,
    result.taskName,
    result.queueName,
    String(result.priority),
    time(result.enqueuedAt),
    time(result.runAfter),
    duration(result),
  ]
}

/** Everything that is known of a result, each field on a line under the name of its column; errors come last and in full. */
export function fieldsOf(result: Result): string {
  const { traceback, attemptErrors: _, errors: __, ...fields } = asJson(result)
  const lines = Object.entries(fields).map(
    ([name, value]) => `${snake(name)}: ${shownValue(value)}`,
  )
  const failed = result.status === 'FAILED'
  const earlier = failed ? result.errors.slice(0, -1) : result.errors
  const last = traceback ?? (failed ? result.errors.at(-1)?.traceback : '')
  return [
    ...lines,
    ...earlier.map((error, at) =>
      block(
        `error of attempt ${numberOf(result, at)} (${error.exceptionClassPath})`,
        error.traceback,
      ),
    ),
    ...(typeof last === 'string' && last !== '' ? [block('traceback', last)] : []),
  ].join('\n')
}

/** Errors in the middle of many are left out. */
function numberOf({ errors, errorCount }: Result, at: number): number {
  return at + 1 + (at < FIRST_ERRORS ? 0 : errorCount - errors.length)
}

/** The result as data: all that its row holds, where there is a row. No delay is null, not the year 9999. */
export function asJson(result: Result): Record<string, unknown> {
  const { dbResult } = result
  return typeof dbResult === 'object' && dbResult !== null
    ? { ...dbResult, runAfter: result.runAfter }
    : result.toJSON()
}

/** How long the last run took, or has taken so far. */
function duration({ status, startedAt, finishedAt }: Result): string {
  if (!startedAt || status === 'READY') return ''
  const end = finishedAt ?? new Date()
  return `${((end.getTime() - startedAt.getTime()) / 1000).toFixed(3)} s`
}

function time(date: Date | null): string {
  return date?.toISOString() ?? ''
}

function shownValue(value: unknown): string {
  if (value instanceof Date) return time(value)
  if (value === null || value === undefined) return ''
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value))
}

function block(title: string, text: string): string {
  return `${oneLine(title)}:\n${text.trimEnd().replace(/^/gm, '  ')}`
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
