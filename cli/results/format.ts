import { oneLine } from '../../lib/errors/foreign-text'
import { headline } from '../../lib/errors/error-record'
import { FIRST_ERRORS } from '../../lib/errors/history'
import type { TaskStatus } from '../../lib/row/record'
import type { TaskResult } from '../../lib/result'
import type { Style } from '../terminal/colour'
import type { Column, TableRow } from '../terminal/fitted-table'
import { portionOf } from '../terminal/portion'

type Result = TaskResult<unknown>

/** The columns of the list. The id is needed in full, to name a result to the other commands. */
export const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'status' },
  { title: 'task', least: 16 },
  { title: 'queue', rank: 4 },
  { title: 'priority', rank: 1 },
  { title: 'attempts', rank: 7 },
  { title: 'progress', rank: 6 },
  { title: 'enqueued', rank: 3 },
  { title: 'run_after', rank: 2 },
  { title: 'duration', rank: 5 },
]

const STATUS_COLUMN = 1

const STYLES: Readonly<Partial<Record<TaskStatus, Style>>> = {
  RUNNING: 'cyan',
  FAILED: 'red',
  SUCCESSFUL: 'green',
}

/** One row of the list, with its error, or else what the task last noted. */
export function rowOf(result: Result): TableRow {
  const { status, errors, progress, isWaiting } = result
  const cell = STYLES[status]
  return {
    cells: [
      result.id,
      isWaiting ? 'waiting' : status,
      result.taskName,
      result.queueName,
      String(result.priority),
      String(result.attempts),
      progress === null ? '' : portionOf(progress),
      time(result.enqueuedAt),
      time(result.runAfter),
      durationOf(result),
    ],
    details: status === 'SUCCESSFUL' ? '' : (headline(errors.at(-1)) ?? progress?.note ?? ''),
    ...(cell ? { style: { at: STATUS_COLUMN, cell, details: cell } } : {}),
  }
}

/** How many results are shown of how many, and how to see the next page. */
export function footer(
  shown: readonly Result[],
  total: number | undefined,
  isPage: boolean,
  among = '',
): string {
  const last = shown.at(-1)
  const count = (n: number): string => n.toLocaleString('en')
  if (total === undefined || (!isPage && shown.length >= total))
    return `${count(shown.length)} result(s)${among}`
  const older = last ? ` Older ones: --before ${last.id}` : ''
  return `${count(shown.length)} of ${count(total)} results${among}.${older}`
}

/** What a number or its absence is about, where not all results were looked at. */
export function among(within: number | undefined, isPage: boolean): string {
  if (!within) return ''
  return ` among the ${isPage ? 'next' : 'newest'} ${within.toLocaleString('en')}`
}

export function noResults(within: number | undefined, isPage: boolean): string {
  return `No task results${among(within, isPage)}.`
}

/** One line of at most 80 columns, for results that were not looked at. */
export function boundNote(within: number, isPage: boolean): string {
  const which = isPage ? 'next' : 'newest'
  return `Looked at the ${which} ${within.toLocaleString('en')} results only; --within 0 looks at all.`
}

/** What a cancel has come to; follows the task in a sentence. */
export function cancelled({ status, errors }: Result, before: Result['status']): string {
  const wasFinished = before === 'SUCCESSFUL' || before === 'FAILED'
  if (status === 'RUNNING') return 'is told to stop, and ends as FAILED'
  const isCancelled = errors.at(-1)?.exceptionClassPath === 'typeorm_tasks.TaskCancelled'
  if (isCancelled && before === 'RUNNING') return 'was told to stop, and has ended as FAILED'
  if (isCancelled) return wasFinished ? 'was cancelled already' : 'is cancelled, and will not run'
  return `has finished already: ${status}`
}

/** Everything that is known of a result, each field on a line under the name of its column; errors come last and in full. */
export function fieldsOf(result: Result): string {
  const { traceback, attemptErrors: _, errors: __, ...fields } = asJson(result)
  const waits = result.isWaiting ? ', waits for other tasks of its flow' : ''
  const lines = Object.entries(fields).map(
    ([name, value]) => `${snake(name)}: ${shownValue(value)}${name === 'status' ? waits : ''}`,
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
export function durationOf({ status, startedAt, finishedAt }: Result): string {
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
