import type { SlotRow } from '../row/slot'
import type { ScheduleValues } from './schedule-options'

/** A slot that is enqueued by so many ms after its time was in time. */
export const PUNCTUAL_MS = 10_000
/** The most slots that are made up for at a time. */
export const MOST_MISSED = 1_000

/** What is known of the slots that have had their turn. Instants in ms since 1970, by the clock of the database. */
export interface Past {
  /** The newest slot that has a row; null: there is none. */
  readonly newest: SlotRow | null
  /** Without a row nothing up to here is missed: when this worker began to look after the schedule, or looked last. */
  readonly since: number
}

export interface Due {
  /** The slots to enqueue, the oldest first. */
  readonly slots: readonly Date[]
  /** There were more than are made up for at a time. */
  readonly isCut: boolean
}

/**
 * The slots to enqueue at this instant. What is so is derived from the newest row each time, so that any worker may look at
 * any time, and again: the key of a slot lets only one of them write it.
 */
export function dueSlots(values: ScheduleValues, past: Past, now: number): Due {
  const { slots, missed, within } = values
  const oldest = missed === 'skip' ? now - PUNCTUAL_MS : now - Math.max(within, PUNCTUAL_MS)
  const most = missed === 'all' ? MOST_MISSED + 1 : 1
  const after = startOf(values, past, now)
  const due = slots
    .upTo(now, most)
    .filter((slot) => slot.getTime() > after && slot.getTime() >= oldest)
    .toReversed()
  const isCut = due.length > MOST_MISSED
  return { slots: isCut ? due.slice(1) : due, isCut }
}

/** Slots up to here have had their turn. */
function startOf({ overlap }: ScheduleValues, { newest, since }: Past, now: number): number {
  if (!newest) return since
  const at = newest.at.getTime()
  if (overlap === 'allow') return at
  // What came while the one before waited or ran was skipped, and is not missed.
  const isOpen = newest.status === 'READY' || newest.status === 'RUNNING'
  return isOpen ? now : Math.max(at, newest.finishedAt?.getTime() ?? at)
}
