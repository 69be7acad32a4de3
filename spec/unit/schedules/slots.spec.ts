import { InvalidTaskError } from '#errors'
import { cronSlots, everySlots } from '../../../lib/schedules/slots'
import { blocksOf, textOf } from '../../support/markdown'
import { datesOf, isFixed, type Pattern, patterns, type Year, yearOf, ZONES } from './oracle'

const PAGE = 'docs/guide/schedules.md'
const YEARS = [2025, 2026, 2027]
/** `ORACLE=all` takes all years and all patterns of each zone, which lasts for an hour; else each zone has one year. */
const isWhole = process.env['ORACLE'] === 'all'
/** Of each zone and year, one after the other: so each pattern is met. */
const PATTERNS_EACH = isWhole ? 200 : 5
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** More slots in a year are compared around changes of the clocks only: croner takes 0.1 ms for each. */
const FEW = 120
/** Of so many not even a day. */
const DENSE = 20_000

const subject = { what: 'Schedule "x"', Fault: InvalidTaskError, hint: '' }
const slotsOf = (expression: string, zone: string) => cronSlots(subject, expression, zone)
const times = (dates: readonly Date[]): number[] => dates.map((date) => date.getTime())

describe('cron expressions beside an oracle that walks every minute', () => {
  const all = patterns(200)
  let next = 0

  it.each(ZONES)('%s', (zone) => {
    for (const year of isWhole ? YEARS : YEARS.slice(ZONES.indexOf(zone) % 3).slice(0, 1)) {
      const minutes = yearOf(zone, year)
      for (let i = 0; i < PATTERNS_EACH; i++) {
        const pattern = all[next++ % all.length] as Pattern
        const expected = datesOf(pattern, minutes)
        const { after, upTo } = slotsOf(pattern.text, zone)
        for (const [from, to] of windowsOf(minutes, expected)) {
          const within = expected.filter((slot) => slot > from && slot <= to)
          // One more than there are, so that one too many shows, too.
          const most = within.length + 1
          const shown = [pattern.text, new Date(from).toISOString(), new Date(to).toISOString()]
          const forwards = times(after(from, most)).filter((slot) => slot <= to)
          const backwards = times(upTo(to, most)).filter((slot) => slot > from)
          expect([...shown, forwards]).toEqual([...shown, within])
          expect([...shown, backwards.toReversed()]).toEqual([...shown, within])
        }
      }
    }
  })

  it('has met each pattern, fixed times of the day and others', () => {
    expect(next).toBeGreaterThanOrEqual(all.length)
    expect(new Set(all.map(isFixed))).toEqual(new Set([true, false]))
    expect(new Set(all.map(({ text }) => text)).size).toBe(200)
  })
})

/** The whole year where that has few slots; else hours around changes of the clocks, and the first of the year. */
function windowsOf(
  { changes, from, to }: Year,
  expected: readonly number[],
): (readonly [number, number])[] {
  if (expected.length <= FEW) return [[from - 1, to]]
  const hours = expected.length > DENSE ? 3 : 30
  const ms = hours * HOUR_MS
  return [[from - 1, from + ms], ...changes.map((at) => [at - ms, at + ms] as const)]
}

describe('the table of changed clocks in the docs', () => {
  const lines = textOf(PAGE)
    .split('\n')
    .filter((line) => /^\| `[^`]+` \| [^|]*(\d\d:\d\d [+-]\d\d:\d\d|never|\d+ times)/.test(line))
  const days = ['2026-03-29', '2026-10-25'] as const

  it('has lines', () => {
    expect(lines.length).toBeGreaterThan(5)
  })

  it.each(lines)('%s', (line) => {
    const [, expression = '', ...cells] = line.split('|').map((cell) => cell.trim())
    for (const [i, day] of days.entries()) {
      const slots = slotsOf(expression.replaceAll('`', ''), 'Europe/Berlin')
        .after(Date.parse(`${day}T00:00:00+02:00`) - DAY_MS, 60)
        .map((slot) => inBerlin(slot))
        .filter((text) => text.startsWith(day))
        .map((text) => text.slice(11))
      const told = cells[i] ?? ''
      if (told.endsWith(' times')) expect(`${slots.length} times`).toBe(told)
      else expect(slots.join(', ') || 'never').toBe(told)
    }
  })

  it('is what the command line is said to print, too', () => {
    const [told = ''] = blocksOf(PAGE)
      .filter(({ language }) => language === 'text')
      .map(({ text }) => text)
    const utc = slotsOf('30 2 * * *', 'Europe/Berlin')
      .after(Date.parse('2026-10-24T00:00:00Z'), 3)
      .map((slot) => slot.toISOString().replace('.000Z', 'Z'))
    expect(told.match(/\S+Z$/gm)).toEqual(utc)
  })
})

function inBerlin(slot: Date): string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: 'Europe/Berlin',
    dateStyle: 'short',
    timeStyle: 'short',
  })
  const minutes =
    (Date.parse(`${format.format(slot).replace(' ', 'T')}:00Z`) - slot.getTime()) / 60_000
  return `${format.format(slot)} +0${minutes / 60}:00`
}

describe('days that the docs name', () => {
  it.each([
    ['0 0 L * *', '2026-01-31', '2026-02-28', '2026-03-31'],
    ['0 0 * * 5#2', '2026-01-09', '2026-02-13', '2026-03-13'],
    ['0 0 * * 5L', '2026-01-30', '2026-02-27', '2026-03-27'],
    ['0 0 15W * *', '2026-01-15', '2026-02-16', '2026-03-16'],
    ['0 0 13 * 5', '2026-01-02', '2026-01-09', '2026-01-13'],
    ['0 0 13 * +5', '2026-02-13', '2026-03-13', '2026-11-13'],
    ['0 0 * * 7', '2026-01-04', '2026-01-11', '2026-01-18'],
    ['0 0 * JAN MON-FRI', '2026-01-02', '2026-01-05', '2026-01-06'],
  ])('%s', (expression, ...days) => {
    const { after, upTo } = slotsOf(expression, 'UTC')
    const expected = days.map((day) => Date.parse(`${day}T00:00:00Z`))
    expect(times(after(Date.parse('2026-01-01T12:00:00Z'), 3))).toEqual(expected)
    expect(times(upTo(expected.at(-1) ?? 0, 3)).toReversed()).toEqual(expected)
  })
})

describe('intervals', () => {
  it('are counted from 1970', () => {
    const { after, upTo } = everySlots(15 * 60_000)
    const at = Date.parse('2026-05-04T10:20:30.123Z')
    expect(after(at, 2).map((slot) => slot.toISOString())).toEqual([
      '2026-05-04T10:30:00.000Z',
      '2026-05-04T10:45:00.000Z',
    ])
    expect(upTo(at, 2).map((slot) => slot.toISOString())).toEqual([
      '2026-05-04T10:15:00.000Z',
      '2026-05-04T10:00:00.000Z',
    ])
  })

  it('and expressions: a slot is not after itself, and is up to itself', () => {
    const at = Date.parse('2026-05-04T10:30:00Z')
    for (const { after, upTo } of [everySlots(60_000), slotsOf('* * * * *', 'UTC')]) {
      expect(times(after(at, 1))).toEqual([at + 60_000])
      expect(times(after(at - 1, 1))).toEqual([at])
      expect(times(upTo(at, 1))).toEqual([at])
      expect(times(upTo(at + 999, 1))).toEqual([at])
      expect(times(upTo(at - 1, 1))).toEqual([at - 60_000])
    }
  })
})
