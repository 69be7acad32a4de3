import type { DBTaskResult } from '../entities/db-task-result.entity'
import { NO_DELAY } from '../entities/formats'

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
export function cellsOf(row: DBTaskResult): string[] {
  return [
    row.id,
    row.status,
    row.taskPath,
    row.queueName,
    String(row.priority),
    time(row.enqueuedAt),
    time(delayOf(row)),
    duration(row),
  ]
}

/** Every field of a row under the name of its column; errors stand last and in full. */
export function fieldsOf(row: DBTaskResult): string {
  const fields = Object.entries(asJson(row)).filter(
    ([name]) => name !== 'traceback' && name !== 'attemptErrors',
  )
  const lines = fields.map(([name, value]) => `${snake(name)}: ${shownValue(value)}`)
  const earlier = (row.attemptErrors ?? []).map((error, at) =>
    block(`error of attempt ${at + 1} (${error.exceptionClassPath})`, error.traceback),
  )
  return [
    ...lines,
    ...earlier,
    ...(row.traceback === '' ? [] : [block('traceback', row.traceback)]),
  ].join('\n')
}

/** The row as data; no delay is null, not the year 9999. */
export function asJson(row: DBTaskResult): Record<string, unknown> {
  return { ...Object.fromEntries(Object.entries(row)), runAfter: delayOf(row) }
}

function delayOf({ runAfter }: DBTaskResult): Date | null {
  return runAfter?.getTime() === NO_DELAY.getTime() ? null : runAfter
}

/** How long the last run took, or has taken so far. */
function duration({ status, startedAt, finishedAt }: DBTaskResult): string {
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
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function block(title: string, text: string): string {
  return `${title}:\n${text.trimEnd().replace(/^/gm, '  ')}`
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
