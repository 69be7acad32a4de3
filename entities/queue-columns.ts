import type { Column } from './metadata/column-options'

const instant = { kind: 'instant' } as const

/** The columns of the table of queues, in order. */
// prettier-ignore
export const QUEUE_COLUMNS = [
  { name: 'backend', property: 'backend', kind: 'word', fixed: { length: 32, primary: true } },
  { name: 'name', property: 'name', kind: 'word', fixed: { length: 32, primary: true } },
  { name: 'paused_at', property: 'pausedAt', ...instant },
  { name: 'paused_until', property: 'pausedUntil', ...instant, fixed: { nullable: true } },
  { name: 'pause_reason', property: 'pauseReason', kind: 'word', fixed: { length: 200, nullable: true } },
] as const satisfies readonly Column[]
