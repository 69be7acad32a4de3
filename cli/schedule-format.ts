import type { AnySchedule } from '../lib/schedules/schedule'
import type { Column, TableRow } from './terminal/fitted-table'

/** The columns of the list. The name is needed to name a schedule to the other commands, so that more is left of it. */
export const COLUMNS: readonly Column[] = [
  { title: 'name', least: 24 },
  { title: 'when', least: 14 },
  { title: 'time zone', rank: 4 },
  { title: 'next' },
  { title: 'task', rank: 3 },
  { title: 'queue', rank: 2 },
  { title: 'missed', rank: 1 },
]

const NEXT_COLUMN = 3

/** One row of the list. */
export function rowOf(schedule: AnySchedule): TableRow {
  const { name, when, timeZone, task, missed, enabled } = schedule
  const [slot] = schedule.next()
  const next = slot ? localTime(slot, timeZone) : ''
  return {
    cells: [name, when, timeZone, enabled ? next : 'disabled', task.name, task.queueName, missed],
    details: '',
    style: { at: NEXT_COLUMN, cell: enabled ? 'green' : 'yellow', details: 'red' },
  }
}

/** The schedule as data. */
export function asJson(schedule: AnySchedule): object {
  const [next = null] = schedule.enabled ? schedule.next() : []
  return { ...schedule.toJSON(), queueName: schedule.task.queueName, next }
}

/** A slot in the time zone of its schedule, and in UTC. */
export function slotLine({ timeZone }: AnySchedule, slot: Date): string {
  return `${localTime(slot, timeZone)}  ${utcTime(slot)}`
}

export function slotAsJson({ timeZone }: AnySchedule, slot: Date): object {
  return { local: localTime(slot, timeZone), utc: utcTime(slot) }
}

function utcTime(slot: Date): string {
  return slot.toISOString().replace('.000Z', 'Z')
}

/** E.g. `2026-10-25 02:30:00 +02:00`. */
function localTime(slot: Date, timeZone: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  })
  const parts = Object.fromEntries(
    format.formatToParts(slot).map(({ type, value }) => [type, value]),
  )
  const { year, month, day, hour, minute, second, timeZoneName = '' } = parts
  const offset = timeZoneName.replace('GMT', '') || '+00:00'
  return `${year}-${month}-${day} ${hour}:${minute}:${second} ${offset}`
}
