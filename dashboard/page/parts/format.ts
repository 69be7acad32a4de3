import { now } from '../server/time'
import { WORDS } from '../words'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** The server counts no further. */
const MOST_COUNTED = 10_000

/** A span of time in its largest unit, with one digit where that is small. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1_000]
  const count = ms / size
  return `${count < 10 ? Number(count.toFixed(1)) : Math.round(count)} ${unit}`
}

/** An instant beside now, such as "4 min ago". */
export function ago(instant: string | null): string {
  if (instant === null) return '–'
  const ms = now() - Date.parse(instant)
  if (Math.abs(ms) < 1_000) return WORDS.justNow
  return ms >= 0 ? WORDS.ago(rough(ms)) : WORDS.inTime(rough(-ms))
}

/** Without digits that change while one reads. */
export function rough(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1_000]
  return `${Math.floor(ms / size)} ${unit}`
}

/** An instant in the time of the browser, or of a zone. */
export function instant(at: string | number, timeZone?: string): string {
  return new Date(at).toLocaleString('sv-SE', { timeZone, timeZoneName: undefined })
}

/** Such as "2026-11-29 08:15" without seconds. */
export function minute(at: string | number, timeZone?: string): string {
  return instant(at, timeZone).slice(0, 16)
}

export function count(number: number): string {
  return number >= MOST_COUNTED ? '10,000+' : number.toLocaleString('en-US')
}
