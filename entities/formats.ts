/** What `run_after` holds when there is no delay: never NULL, as in Django. */
export const NO_DELAY = new Date(Date.UTC(9999, 0, 1))

/** `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; the fraction is left out when it is zero, as Python prints it. */
export function utcText(date: Date): string {
  const [day = '', time = ''] = date.toISOString().slice(0, -1).split('T')
  const text = `${day} ${time}000`
  return text.endsWith('.000000') ? text.slice(0, -7) : text
}

/**
 * The instant that a database's text names, read as UTC unless the text carries a zone of its own;
 * null for what is no time at all, so that one foreign row cannot break the reading of the others.
 */
export function instantOf(text: string): Date | null {
  const parts = TIME_TEXT.exec(text.trim())
  if (!parts) return null
  const [, day = '', clock = '00:00:00', fraction = '', zone = ''] = parts
  const instant = new Date(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}${isoZone(zone)}`)
  return Number.isNaN(instant.getTime()) ? null : instant
}

/** The 32 lower-case hex digits of a UUID, as Django keeps ids where there is no uuid type; other text stays as it is. */
export function hexOf(uuid: string): string {
  return UUID_TEXT.test(uuid) ? uuid.replaceAll('-', '').toLowerCase() : uuid
}

/** The dashed form of a UUID, the one the API shows; other text stays as it is. */
export function dashed(hexOrUuid: string): string {
  const parts = UUID_TEXT.exec(hexOrUuid)
  return parts ? parts.slice(1).join('-').toLowerCase() : hexOrUuid
}

const TIME_TEXT = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{0,9}))?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?$/
const UUID_TEXT = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i

/** Databases shorten offsets (`+00`, `+0530`); JavaScript reads only `+05:30`. */
function isoZone(zone: string): string {
  if (zone === '' || zone.toUpperCase() === 'Z') return 'Z'
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`
}
