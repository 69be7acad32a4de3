import { MOST_COUNTED, type Pause, type QueueState } from '../../lib/browser'
import type { Column, TableRow } from '../terminal/fitted-table'
import { duration } from '../worker-format'

/** The columns of the list. */
export const COLUMNS: readonly Column[] = [
  { title: 'queue' },
  { title: 'due' },
  { title: 'later', rank: 2 },
  { title: 'waiting', rank: 1 },
  { title: 'running', rank: 5 },
  { title: 'oldest', rank: 3 },
  { title: 'worker', rank: 4 },
  { title: 'paused' },
]

const PAUSED_COLUMN = 7

/** One row of the list, with the reason of its pause. */
export function rowOf({
  name,
  due,
  later,
  waiting,
  running,
  oldestDueMs,
  isServed,
  paused,
}: QueueState): TableRow {
  const cells = [name, ...[due, later, waiting, running].map(counted)]
  return {
    cells: [
      ...cells,
      oldestDueMs === null ? '' : duration(oldestDueMs),
      isServed === null ? '' : isServed ? 'yes' : 'none',
      paused === null ? 'no' : pauseOf(paused),
    ],
    details: paused?.reason ?? '',
    ...(paused && { style: { at: PAUSED_COLUMN, cell: 'cyan', details: 'cyan' } }),
  }
}

/** What is counted only so far is told as such. */
export function counted(count: number): string {
  return count >= MOST_COUNTED ? `${count} or more` : String(count)
}

function pauseOf({ at, until }: Pause): string {
  return `since ${minute(at)}${until === null ? '' : ` until ${minute(until)}`}`
}

function minute(instant: Date): string {
  return `${instant.toISOString().slice(0, 16)}Z`
}
