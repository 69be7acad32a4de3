import { isRecord } from '../errors/option-checks'
import type { TaskStatus } from './record'

/** The slot of a schedule that a run is for. */
export interface Slot {
  /** The name of the schedule. */
  readonly schedule: string
  /** When it was due, whenever it runs. */
  readonly at: Date
  /** It was enqueued more than 10 seconds after its time: no worker was there, or none reached the database. */
  readonly late: boolean
}

/** A slot that has a row. */
export interface SlotRow {
  readonly at: Date
  readonly status: TaskStatus
  readonly finishedAt: Date | null
}

/** Digits of one width, so that keys are in the order of slots in the collations of all databases: enough until the year 10889. */
const SLOT_DIGITS = 12
export const LAST_SLOT = 16 ** SLOT_DIGITS - 1

/** The key of a slot. `schedule`: 32 hex digits. */
export function slotKey(schedule: string, at: number): string {
  return schedule + at.toString(16).padStart(SLOT_DIGITS, '0')
}

/** The slot of a key; null if it is not one of that schedule. */
export function slotInKey(schedule: string, key: string): Date | null {
  const digits = key.startsWith(schedule) ? key.slice(schedule.length) : ''
  return /^[0-9a-f]{12}$/.test(digits) ? new Date(Number.parseInt(digits, 16)) : null
}

/** The slot of a row, by its options; null for one of no schedule, or if somebody else has written it badly. */
export function slotOf({ slot }: Readonly<Record<string, unknown>>): Slot | null {
  if (!isRecord(slot)) return null
  const { schedule, at, late } = slot
  const instant = new Date(typeof at === 'string' ? at : Number.NaN)
  if (typeof schedule !== 'string' || Number.isNaN(instant.getTime())) return null
  return { schedule, at: instant, late: late === true }
}
