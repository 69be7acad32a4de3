import { instantOf, isParked } from '../../../entities/formats'
import type { HistoryQuery, HistoryStep } from '../../../lib/browser'
import { spreadOf } from '../../../lib/browsing/spread'
import type { TaskStatus } from '../../../lib/row/record'
import { type Range, type SampleRow, sampled } from './samples'
import { madeAt, type Sight } from './sight'

/** Rows that are read at most, for each of the three looks below. */
const ROWS = 7_000
/** Rows of a stretch. */
const STRETCH = 25
const MOST_STRETCHES = 40
/** A stretch whose rows lie within less than this share of its part is read on: it may be the beginning of a crowd. */
const ENOUGH = 0.1
/** Few steps are read once more if that reads so many times as much of each. */
const WORTH_IT = 2
/** The database's own number of rows is out of date now and then, most of all where rows are few. */
const TRUST = 2
const LEAST_TOTAL = 20_000
const NO_DELAY_TEXT = '9999-01-01 00:00:00'

/** A part of the time of a step, and the rows that were read of it: all, or the first ones. */
interface Part {
  readonly range: Range
  readonly rows: readonly SampleRow[]
  readonly isCut: boolean
}

type Step = readonly Part[]

/**
 * What became of the tasks of a time, by ids, which are in the order of time. The first look reads some rows of each step, which
 * of many are all. Steps that have more are read in stretches of as many rows, from the beginnings of equal parts, and
 * crowds are read on. `total`: about how many rows the table has.
 */
export async function historyOf(
  sight: Sight,
  query: HistoryQuery,
  total: number,
): Promise<HistoryStep[]> {
  const look = lookAt(sight, query.taskName)
  const ranges = dividedBy(query.steps, {
    from: query.from.getTime(),
    to: query.to.getTime(),
  })
  const whole = await readFew(look, ranges)
  const dense = whole.filter(({ isCut }) => isCut)
  const stretches = Math.floor(ROWS / STRETCH / Math.max(1, dense.length))
  const most = Math.max(2, Math.min(MOST_STRETCHES, stretches))
  const parts = await look(
    dense.flatMap(({ range }) => dividedBy(most, range)),
    STRETCH,
  )
  const read = await readOn(look, parts)
  const steps = whole.map((part): Step => {
    const at = dense.indexOf(part)
    return at < 0 ? [part] : read.slice(at * most, (at + 1) * most)
  })
  return told(steps, query, sight.backendName, total)
}

/** Reads the first rows of each range. */
type Look = (ranges: readonly Range[], most: number) => Promise<Part[]>

function lookAt(sight: Sight, taskName: string | undefined): Look {
  return async (ranges, most) => {
    const found = await sampled(sight, ranges, { most, taskName })
    return ranges.map((range, i) => {
      const rows = found[i] ?? []
      return { range, rows, isCut: rows.length >= most }
    })
  }
}

/** The first rows of each step. Where few steps have more, those are read again, further: often they are exact then. */
async function readFew(look: Look, ranges: readonly Range[]): Promise<Part[]> {
  const most = Math.max(STRETCH, Math.floor(ROWS / ranges.length))
  const first = await look(ranges, most)
  const cut = first.filter(({ isCut }) => isCut)
  const share = Math.floor(ROWS / Math.max(1, cut.length))
  if (cut.length === 0 || share < WORTH_IT * most) return first
  const again = await look(
    cut.map(({ range }) => range),
    share,
  )
  return first.map((part) => again[cut.indexOf(part)] ?? part)
}

async function readOn(look: Look, parts: readonly Part[]): Promise<Part[]> {
  const crowded = parts.filter((part) => part.isCut && widthOf(part) < ENOUGH)
  const most = Math.max(STRETCH, Math.floor(ROWS / Math.max(1, crowded.length)))
  const more = await look(
    crowded.map(({ range, rows }) => ({ ...range, after: rows.at(-1)?.row_key })),
    most,
  )
  return parts.map((part) => {
    const { rows, isCut } = more[crowded.indexOf(part)] ?? { rows: [], isCut: part.isCut }
    return { ...part, rows: [...part.rows, ...rows], isCut }
  })
}

function dividedBy(count: number, { from, to }: Range): Range[] {
  const length = (to - from) / count
  return Array.from({ length: count }, (_, i) => ({
    from: Math.round(from + i * length),
    to: Math.round(from + (i + 1) * length),
  }))
}

/** Within how much of the time of a part the rows lie that were read. */
function widthOf({ range: { from, to }, rows }: Part): number {
  const [first, last] = [rows[0], rows.at(-1)]
  if (first === undefined || last === undefined) return 1
  return (madeAt(last.row_key) - madeAt(first.row_key)) / Math.max(1, to - from)
}

/** How much of the time of a part is told by the rows that were read. */
function shareOf({ range: { from, to }, rows, isCut }: Part): number {
  const last = rows.at(-1)
  if (!isCut || last === undefined) return 1
  return Math.min(1, Math.max(1, madeAt(last.row_key) - from) / Math.max(1, to - from))
}

function told(
  steps: readonly Step[],
  query: HistoryQuery,
  backendName: string,
  total: number,
): HistoryStep[] {
  const estimated = steps.flat().reduce((sum, part) => sum + part.rows.length / shareOf(part), 0)
  // Where very many rows are of one instant, a stretch tells too many of its surroundings: there are no more than there are.
  const trusted = Math.min(1, Math.max(LEAST_TOTAL, TRUST * total) / Math.max(1, estimated))
  return steps.map((step) => {
    const parts = step.map((part) => ({
      rows: part.rows.filter((row) => isWanted(row, query, backendName)),
      factor: Math.max(1, trusted / shareOf(part)),
    }))
    const rows = parts.flatMap((part) => part.rows)
    return {
      from: new Date(step[0]?.range.from ?? 0),
      counts: countsOf(parts),
      isEstimate: step.some(({ isCut }) => isCut),
      wait: spreadOf(rows.flatMap(waitOf)),
      run: spreadOf(rows.flatMap(runOf)),
    }
  })
}

function isWanted(
  { backend_name, queue_name, is_wanted }: SampleRow,
  { queue }: HistoryQuery,
  backendName: string,
): boolean {
  return (
    backend_name === backendName &&
    (queue === undefined || queue_name === queue) &&
    Number(is_wanted) === 1
  )
}

function countsOf(
  parts: readonly { readonly rows: readonly SampleRow[]; readonly factor: number }[],
): Record<TaskStatus, number> {
  const counts: Record<TaskStatus, number> = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0 }
  for (const { rows, factor } of parts)
    for (const { status } of rows) if (status in counts) counts[status as TaskStatus] += factor
  for (const status of Object.keys(counts) as TaskStatus[])
    counts[status] = Math.round(counts[status])
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
