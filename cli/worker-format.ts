import type { DBTaskWorker } from '../entities/db-task-worker.entity'
import type { Column, TableRow } from './terminal/fitted-table'

/** A worker, and how long ago it was seen. */
export interface ListedWorker {
  readonly worker: Omit<DBTaskWorker, 'queues' | 'leaseMs'> & { readonly queues: readonly string[] }
  readonly agoMs: number
  /** It was not seen for a whole lease. */
  readonly isGone: boolean
}

/** The columns of the list. */
export const COLUMNS: readonly Column[] = [
  { title: 'id', least: 12 },
  { title: 'state' },
  { title: 'host', rank: 9 },
  { title: 'pid', rank: 8 },
  { title: 'version', rank: 3 },
  { title: 'backend', rank: 1 },
  { title: 'queues', rank: 5 },
  { title: 'running' },
  { title: 'up', rank: 4 },
  { title: 'seen', rank: 10 },
  { title: 'delay', rank: 6 },
  { title: 'memory', rank: 7 },
]

const STATE_COLUMN = 1

/** One row of the list. */
export function rowOf({ worker, agoMs, isGone }: ListedWorker): TableRow {
  const upMs = worker.seenAt.getTime() - worker.startedAt.getTime() + agoMs
  return {
    cells: [
      worker.id,
      stateOf(isGone),
      worker.host,
      String(worker.pid),
      worker.version,
      worker.backend,
      worker.queues.join(','),
      `${worker.running}/${worker.concurrency}`,
      duration(upMs),
      `${duration(agoMs)} ago`,
      `${worker.eventLoopDelayMs} ms`,
      `${worker.rssMib} MiB`,
    ],
    details: '',
    style: { at: STATE_COLUMN, cell: isGone ? 'red' : 'green', details: 'red' },
  }
}

/** The worker as data: its record, and its state. */
export function asJson({ worker, isGone }: ListedWorker): object {
  return Object.assign({}, worker, { state: stateOf(isGone) })
}

function stateOf(isGone: boolean): 'gone' | 'running' {
  return isGone ? 'gone' : 'running'
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const

/** In the largest unit of which it has at least two. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const [unit, size] = UNITS.find(([, each]) => seconds >= 2 * each) ?? ['s', 1]
  return `${Math.floor(seconds / size)} ${unit}`
}
