import type { Column } from './metadata/column-options'

const word = (length: number) => ({ kind: 'word', fixed: { length } }) as const
const int = { kind: 'int' } as const
const instant = { kind: 'instant' } as const

/** The columns of the table of workers, in order. */
// prettier-ignore
export const WORKER_COLUMNS = [
  // A worker's id of 64 characters, which a driver may count by UTF-16 units, and what sets it apart from another of that id.
  { name: 'id', property: 'id', kind: 'word', fixed: { length: 140, primary: true } },
  { name: 'backend', property: 'backend', ...word(32) },
  { name: 'host', property: 'host', ...word(255) },
  { name: 'pid', property: 'pid', ...int },
  { name: 'version', property: 'version', ...word(32) },
  { name: 'queues', property: 'queues', kind: 'json' },
  { name: 'concurrency', property: 'concurrency', ...int },
  { name: 'running', property: 'running', ...int },
  { name: 'started_at', property: 'startedAt', ...instant },
  { name: 'seen_at', property: 'seenAt', ...instant },
  { name: 'lease_ms', property: 'leaseMs', ...int },
  { name: 'event_loop_delay_ms', property: 'eventLoopDelayMs', ...int },
  { name: 'rss_mib', property: 'rssMib', ...int },
] as const satisfies readonly Column[]
