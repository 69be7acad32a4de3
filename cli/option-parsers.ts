import { UsageError } from '../lib/errors/errors'
import { didYouMean, shown } from '../lib/errors/suggestions'
import { MAX_QUEUE_NAME, QUEUE_NAME, check } from '../lib/errors/option-checks'

const DAY_MS = 24 * 60 * 60 * 1000
const MOST_DAYS = 36_500

/** Parses an option's value. @throws UsageError that names the option, the expected and the given value. */
export type Reader<Value> = (written: string) => Value

export interface Range {
  readonly least: number
  readonly most?: number
}

/** Parses seconds, with fractions; returns milliseconds. */
export function seconds(option: string): Reader<number> {
  return (written) => number(option, written, { least: 0 }, 'a number of seconds, 0 or more') * 1000
}

/** As `seconds` parses it. */
export function inSeconds(ms: number): string {
  return String(ms / 1000)
}

/** Parses days, with fractions; returns milliseconds. */
export function days(option: string): Reader<number> {
  return (written) =>
    number(
      option,
      written,
      { least: 0, most: MOST_DAYS },
      `a number of days from 0 to ${MOST_DAYS}`,
    ) * DAY_MS
}

export function wholeNumber(option: string, range: Range): Reader<number> {
  const expected =
    range.most === undefined
      ? `a whole number, ${range.least} or more`
      : `a whole number from ${range.least} to ${range.most}`
  return (written) => {
    const value = number(option, written, range, expected)
    if (!Number.isSafeInteger(value)) throw unexpected(option, expected, written)
    return value
  }
}

export function text(option: string, most = Number.POSITIVE_INFINITY): Reader<string> {
  const expected =
    most === Number.POSITIVE_INFINITY ? 'a value' : `1 to ${most} printable characters`
  return (written) => {
    if (
      written.startsWith('--') ||
      written.length === 0 ||
      written.length > most ||
      !/^[^\p{Cc}\p{Cs}]+$/u.test(written)
    )
      throw unexpected(option, expected, written)
    return written
  }
}

/** Parses the name of one queue. */
export function queueName(option: string): Reader<string> {
  return (written) => {
    if (written.startsWith('--'))
      throw unexpected(option, `a queue name of 1 to ${MAX_QUEUE_NAME} characters`, written)
    check({ what: `argument ${option}`, Fault: UsageError, hint: '' }, '', written, QUEUE_NAME)
    return written
  }
}

/** Parses queue names separated by commas. */
export function queueNames(option: string): Reader<readonly string[]> {
  const one = queueName(option)
  return (written) => written.split(',').map((name) => one(name.trim()))
}

/** The same; `*` means all queues. */
export function queueNamesOrAll(option: string): Reader<readonly string[] | '*'> {
  const some = queueNames(option)
  return (written) => (written.split(',').some((name) => name.trim() === '*') ? '*' : some(written))
}

/** As `queueNamesOrAll` parses it. */
export function inNames(names: readonly string[] | '*'): string {
  if (names === '*') return names
  return names.length === 0 ? 'none' : names.join(',')
}

export function oneOf<Word extends string>(option: string, words: readonly Word[]): Reader<Word> {
  return (written) => {
    const found = words.find((word) => word.toUpperCase() === written.toUpperCase())
    if (found !== undefined) return found
    throw new UsageError(
      `argument ${option}: expected one of ${words.join(', ')}, got ${shown(written)}.`,
      didYouMean(written, words) ?? '',
    )
  }
}

/** Milliseconds per unit. */
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS } as const

/** Parses an ISO 8601 time, or a delay from now: `+30s`, `5m`, `2h`, `1d`. */
export function instant(option: string): Reader<Date> {
  return (written) => {
    const ms = unitsMs(written)
    const date = ms === undefined ? isoDate(written) : new Date(Date.now() + ms)
    if (Number.isNaN(date.getTime()))
      throw unexpected(
        option,
        'a time such as 2030-01-31T18:00:00Z or a delay such as +30s, +5m, +2h, +1d',
        written,
      )
    return date
  }
}

/** Parses a length of time above 0: `30s`, `5m`, `2h`, `1d`; returns milliseconds. */
export function duration(option: string): Reader<number> {
  return (written) => {
    const ms = unitsMs(written)
    if (ms === undefined || ms <= 0 || ms > MOST_DAYS * DAY_MS)
      throw unexpected(option, 'a time such as 30s, 5m, 2h, 1d', written)
    return ms
  }
}

function unitsMs(written: string): number | undefined {
  const [, amount, unit] = /^\+?(\d+(?:\.\d+)?)([smhd])$/.exec(written) ?? []
  return amount === undefined ? undefined : Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS]
}

export function jsonArray(option: string): Reader<unknown[]> {
  return (written) => {
    const value = json(written)
    if (!Array.isArray(value))
      throw unexpected(option, `a JSON array such as '[42, "warm"]' in single quotes`, written)
    return value
  }
}

export function jsonObject(option: string): Reader<Record<string, unknown>> {
  return (written) => {
    const value = json(written)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw unexpected(option, `a JSON object such as '{"tone": "warm"}' in single quotes`, written)
    return value as Record<string, unknown>
  }
}

function number(
  option: string,
  written: string,
  { least, most = Number.MAX_VALUE }: Range,
  expected: string,
): number {
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(written) ? Number(written) : Number.NaN
  if (!(value >= least && value <= most)) throw unexpected(option, expected, written)
  return value
}

/** As in JavaScript, a time without a zone is local and a date without a time is UTC. */
function isoDate(written: string): Date {
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:\d\d)?)?$/.test(written)
  return new Date(iso ? written.replace(' ', 'T') : Number.NaN)
}

function json(written: string): unknown {
  try {
    return JSON.parse(written) as unknown
  } catch {
    return undefined
  }
}

function unexpected(option: string, expected: string, written: string): UsageError {
  return new UsageError(
    `argument ${option}: expected ${expected}, got ${shown(written)}.`,
    'See --help.',
  )
}
