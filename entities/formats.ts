/** What `run_after` holds when there is no delay: never NULL, as in Django. */
export const NO_DELAY = new Date(Date.UTC(9999, 0, 1))

/** What `run_after` holds while a row waits for others: no worker claims it, not even one that knows nothing of such rows. */
export const PARKED_UNTIL = new Date(Date.UTC(9998, 0, 1))

/** Whether an instant of the database, as text, is that. */
export function isParked(runAfter: string | null): boolean {
  return runAfter?.startsWith('9998-01-01 00:00:00') ?? false
}

const [ZERO, SPACE, POINT] = [48, 32, 46]
const PLAIN_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TIME_TEXT =
  /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{0,9}))?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?$/
const UUID_TEXT = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i

/** `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; the fraction is left out when it is zero, as Python prints it. */
export function utcText(date: Date): string {
  const [day = '', time = ''] = date.toISOString().slice(0, -1).split('T')
  const text = `${day} ${time}000`
  return text.endsWith('.000000') ? text.slice(0, -7) : text
}

/** Bytes of a text as that text; every other value as it is. */
export function textOr<T>(value: T): T | string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value
}

/** The instant of whatever a driver makes of one: a Date, its text, or an object that prints as ISO 8601. */
export function anyInstantOf(value: unknown): Date | null {
  const given = textOr(value)
  if (typeof given === 'string') return instantOf(given)
  if (given instanceof Date) return Number.isNaN(given.getTime()) ? null : given
  return typeof given === 'number' ? new Date(given) : printedInstantOf(given)
}

/** Of an object like those of Luxon, Day.js or Temporal. */
function printedInstantOf(value: unknown): Date | null {
  if (typeof value !== 'object' || value === null || !('toJSON' in value)) return null
  const printed: unknown = typeof value.toJSON === 'function' ? value.toJSON() : null
  return typeof printed === 'string' ? instantOf(printed) : null
}

/**
 * The instant of a database's text, read as UTC unless the text has a zone of its own; null for text that is no
 * time, so that one bad row does not keep the others from being read.
 */
export function instantOf(text: string): Date | null {
  return plainInstantOf(text) ?? zonedInstantOf(text)
}

/** Whether the text has the form of an id, with hyphens or without. */
export function isIdText(text: string): boolean {
  return UUID_TEXT.test(text)
}

/** The dashed form of a UUID, the one the API shows; other text stays as it is. */
export function dashed(hexOrUuid: string): string {
  if (PLAIN_UUID.test(hexOrUuid)) return hexOrUuid
  const parts = UUID_TEXT.exec(hexOrUuid)
  return parts ? parts.slice(1).join('-').toLowerCase() : hexOrUuid
}

/** The 32 lower-case hex digits of a UUID, as Django keeps ids where there is no uuid type; other text stays as it is. */
export function hexOf(uuid: string): string {
  return UUID_TEXT.test(uuid) ? uuid.replaceAll('-', '').toLowerCase() : uuid
}

/**
 * `YYYY-MM-DD HH:MM:SS.ffffff`, as our own statements select instants, digit by digit: most of what a worker reads
 * (measured: a fifth of the time of a regular expression and `new Date`). Undefined for any other text.
 */
function plainInstantOf(text: string): Date | undefined {
  if (text.length !== 26 || text.charCodeAt(10) !== SPACE || text.charCodeAt(19) !== POINT)
    return undefined
  const year = numberIn(text, 0, 4)
  const month = numberIn(text, 5, 7)
  const day = numberIn(text, 8, 10)
  const hour = numberIn(text, 11, 13)
  const minute = numberIn(text, 14, 16)
  const second = numberIn(text, 17, 19)
  if (!(year > 99 && month <= 12 && hour < 24 && minute < 60 && second < 60)) return undefined
  const instant = new Date(
    Date.UTC(year, month - 1, day, hour, minute, second, Math.floor(numberIn(text, 20, 26) / 1000)),
  )
  return instant.getUTCDate() === day ? instant : undefined
}

/** The number at these positions; NaN if there is anything but digits. */
function numberIn(text: string, from: number, to: number): number {
  let number = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO
    number = digit >= 0 && digit <= 9 ? 10 * number + digit : Number.NaN
  }
  return number
}

function zonedInstantOf(text: string): Date | null {
  const parts = TIME_TEXT.exec(text.trim())
  if (!parts) return null
  const [, day = '', clock = '00:00:00', fraction = '', zone = ''] = parts
  const instant = new Date(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}${isoZone(zone)}`)
  return Number.isNaN(instant.getTime()) ? null : instant
}

/** Databases shorten offsets (`+00`, `+0530`); JavaScript reads only `+05:30`. */
function isoZone(zone: string): string {
  if (zone === '' || zone.toUpperCase() === 'Z') return 'Z'
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`
}
