import { instantOf, isParked } from '../../../entities/formats'
import type { HistoryQuery, HistoryStep } from '../../../lib/browser'
import { spreadOf } from '../../../lib/browsing/spread'
import type { TaskStatus } from '../../../lib/row/record'
import { type Range, type SampleRow, sampled } from './samples'
import { madeAt, type Sight } from './sight'

/** Rows that are read for all steps, to find those that have few; and as many again for the others, in stretches. */
const ROWS = 10_000
/** Rows of a stretch. */
const STRETCH = 25
const MOST_STRETCHES = 40
const NO_DELAY_TEXT = '9999-01-01 00:00:00'

/** A part of the time of a step: what was read of it, and how much of its time that covers. */
interface Part {
  readonly rows: readonly SampleRow[]
  readonly coveredMs: number
}

interface Step {
  readonly range: Range
  readonly parts: readonly Part[]
}

/** What became of the tasks of a time, by ids, which are in the order of time. `total`: about how many rows there are. */
export async function historyOf(
  sight: Sight,
  query: HistoryQuery,
  total: number,
): Promise<HistoryStep[]> {
  const ranges = rangesOf(query)
  const perStep = Math.max(STRETCH, Math.floor(ROWS / ranges.length))
  const first = await sampled(sight, ranges, perStep)
  const steps: Step[] = ranges.map((range, i) => ({
    range,
    parts: [partOf(range, first[i] ?? [], perStep)],
  }))
  const dense = steps.flatMap((step, i) => (isWhole(step) ? [] : [i]))
  const stretches = Math.min(
    MOST_STRETCHES,
    Math.max(2, Math.floor(ROWS / STRETCH / Math.max(1, dense.length))),
  )
  const parts = dense.flatMap((i) => partsOf(ranges[i], stretches))
  const found = await sampled(sight, parts, STRETCH)
  for (const [n, i] of dense.entries()) {
    const own = parts.slice(n * stretches, (n + 1) * stretches)
    const read = own.map((range, k) => partOf(range, found[n * stretches + k] ?? [], STRETCH))
    const step = steps[i]
    // Of what was read first only the beginning is known, which would count twice.
    if (step) steps[i] = { ...step, parts: read }
  }
  return told(steps, query, sight.backendName, total)
}

function rangesOf({ from, to, steps }: HistoryQuery): Range[] {
  const length = (to.getTime() - from.getTime()) / steps
  return Array.from({ length: steps }, (_, i) => ({
    from: Math.round(from.getTime() + i * length),
    to: Math.round(from.getTime() + (i + 1) * length),
  }))
}

function partsOf(range: Range | undefined, count: number): Range[] {
  const { from, to } = range ?? { from: 0, to: 0 }
  const length = (to - from) / count
  return Array.from({ length: count }, (_, i) => ({
    from: Math.round(from + i * length),
    to: Math.round(from + (i + 1) * length),
  }))
}

/** With fewer rows than were asked for it is known to its end. */
function partOf({ from, to }: Range, rows: readonly SampleRow[], asked: number): Part {
  const last = rows.at(-1)
  const isCut = rows.length >= asked && last !== undefined
  return { rows, coveredMs: isCut ? Math.max(1, madeAt(last.row_key) - from) : to - from }
}

function lengthOf({ from, to }: Range): number {
  return to - from
}

function isWhole({ range, parts }: Step): boolean {
  return parts.reduce((sum, { coveredMs }) => sum + coveredMs, 0) >= lengthOf(range)
}

/** By how much more rows a step has than were read of it. */
function factorOf({ range, parts }: Step): number {
  const covered = parts.reduce((sum, { coveredMs }) => sum + coveredMs, 0)
  return Math.max(1, lengthOf(range) / Math.max(1, covered))
}

function told(
  steps: readonly Step[],
  query: HistoryQuery,
  backendName: string,
  total: number,
): HistoryStep[] {
  const estimated = steps.reduce(
    (sum, step) => sum + factorOf(step) * step.parts.flatMap(({ rows }) => rows).length,
    0,
  )
  // Where many rows are of one instant a stretch tells nothing of its surroundings: there are no more rows than there are.
  const share = Math.min(1, Math.max(0, total) / Math.max(1, estimated))
  return steps.map((step) => {
    const isEstimate = !isWhole(step)
    const rows = step.parts
      .flatMap((part) => part.rows)
      .filter((row) => isWanted(row, query, backendName))
    const factor = isEstimate ? Math.max(1, factorOf(step) * share) : 1
    return {
      from: new Date(step.range.from),
      counts: countsOf(rows, factor),
      isEstimate,
      wait: spreadOf(rows.flatMap(waitOf)),
      run: spreadOf(rows.flatMap(runOf)),
    }
  })
}

function isWanted(
  { backend_name, queue_name, task_path }: SampleRow,
  { queue, taskName }: HistoryQuery,
  backendName: string,
): boolean {
  return (
    backend_name === backendName &&
    (queue === undefined || queue_name === queue) &&
    (taskName === undefined || task_path === taskName)
  )
}

function countsOf(rows: readonly SampleRow[], factor: number): Record<TaskStatus, number> {
  const counts: Record<TaskStatus, number> = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0 }
  for (const { status } of rows) if (status in counts) counts[status as TaskStatus]++
  for (const status of Object.keys(counts) as TaskStatus[])
    counts[status] = Math.round(counts[status] * factor)
  return counts
}

/** From the later one of the enqueue and the instant that it was due at. */
function waitOf({ enqueued_at, run_after, started_at }: SampleRow): number[] {
  const isDelayed =
    run_after !== null && !run_after.startsWith(NO_DELAY_TEXT) && !isParked(run_after)
  const due = Math.max(msOf(enqueued_at) ?? Number.NaN, isDelayed ? (msOf(run_after) ?? 0) : 0)
  const started = msOf(started_at)
  return started === undefined || Number.isNaN(due) ? [] : [Math.max(0, started - due)]
}

function runOf({ started_at, finished_at }: SampleRow): number[] {
  const [started, finished] = [msOf(started_at), msOf(finished_at)]
  return started === undefined || finished === undefined ? [] : [Math.max(0, finished - started)]
}

function msOf(text: string | null): number | undefined {
  return text === null ? undefined : instantOf(text)?.getTime()
}
