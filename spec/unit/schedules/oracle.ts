/** Slots of cron expressions, found the slow way: by looking at every minute of a year. Nothing here is of the library, or of croner. */

export const ZONES = [
  'UTC', 'Europe/Berlin', 'Europe/London', 'Europe/Dublin', 'Europe/Lisbon', 'Europe/Moscow', 'Europe/Istanbul', 'Europe/Chisinau',
  'America/New_York', 'America/Chicago', 'America/Denver', 'America/Phoenix', 'America/Los_Angeles', 'America/St_Johns', 'America/Halifax', 'America/Havana',
  'America/Santiago', 'America/Asuncion', 'America/Sao_Paulo', 'America/Nuuk', 'America/Tijuana', 'America/Anchorage', 'Pacific/Honolulu', 'Pacific/Easter',
  'Pacific/Auckland', 'Pacific/Chatham', 'Pacific/Apia', 'Pacific/Kiritimati', 'Australia/Lord_Howe', 'Australia/Adelaide', 'Australia/Sydney', 'Australia/Eucla',
  'Asia/Kathmandu', 'Asia/Kolkata', 'Asia/Tokyo', 'Asia/Beirut', 'Asia/Jerusalem', 'Africa/Cairo', 'Africa/Casablanca', 'Antarctica/Troll',
] // prettier-ignore

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const LOOK_MS = 3 * HOUR_MS

/** The wall clocks of a zone in a year. */
export interface Year {
  readonly from: number
  readonly to: number
  /** What the clocks show at each minute, in minutes since 1970 as if that were UTC. */
  readonly wall: Int32Array
  /** The instants at which they jump. */
  readonly changes: readonly number[]
}

export interface Pattern {
  readonly text: string
  readonly fields: readonly string[]
}

export function yearOf(zone: string, year: number): Year {
  const from = Date.UTC(year, 0, 1)
  const to = Date.UTC(year + 1, 0, 1) - MINUTE_MS
  const wall = new Int32Array((to - from) / MINUTE_MS + 1)
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  const offsetAt = (instant: number): number => {
    const part = Object.fromEntries(
      format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
    )
    const shown = Date.UTC(
      part['year']!,
      part['month']! - 1,
      part['day'],
      part['hour'],
      part['minute'],
    )
    return (shown - instant) / MINUTE_MS
  }
  const changes: number[] = []
  let before = offsetAt(from)
  // Offsets change at a whole minute. It is looked for where those of two looks differ.
  for (let look = from; look <= to; look += LOOK_MS) {
    const isSame = offsetAt(look + LOOK_MS) === before
    for (let at = look; at < look + LOOK_MS && at <= to; at += MINUTE_MS) {
      const offset = isSame ? before : offsetAt(at)
      if (offset !== before) changes.push(at)
      before = offset
      wall[(at - from) / MINUTE_MS] = at / MINUTE_MS + offset
    }
  }
  return { from, to, wall, changes }
}

/** Neither `*` nor a step in minute and hour. */
export function isFixed({ fields: [minute = '', hour = ''] }: Pattern): boolean {
  return !/[*/]/.test(minute + hour)
}

/** The slots of a year, in ms since 1970. */
export function datesOf(pattern: Pattern, { from, wall }: Year): number[] {
  const matches = matcherOf(pattern)
  const fixed = isFixed(pattern)
  const found: number[] = []
  // Whether a minute before this year was shown already does not matter: no clock is changed at New Year.
  let latest = (wall[0] ?? 0) - 1
  for (let i = 0; i < wall.length; i++) {
    const shown = wall[i] ?? 0
    let isDue = false
    if (!fixed) isDue = matches(shown)
    // What the clocks have jumped over is due now, and what they show a second time was due before.
    else for (let minute = latest + 1; minute <= shown && !isDue; minute++) isDue = matches(minute)
    if (isDue) found.push(from + i * MINUTE_MS)
    latest = Math.max(latest, shown)
  }
  return found
}

function matcherOf({ fields }: Pattern): (wallMinute: number) => boolean {
  const [minutes, hours, days, months, weekdays] = [
    valuesOf(fields[0], 0, 59),
    valuesOf(fields[1], 0, 23),
    valuesOf(fields[2], 1, 31),
    valuesOf(fields[3], 1, 12),
    valuesOf(fields[4], 0, 7),
  ]
  const isAnyDay = fields[2] === '*'
  const isAnyWeekday = fields[4] === '*'
  const known = new Map<number, boolean>()
  const isDay = (day: number): boolean => {
    const date = new Date(day * DAY_MS)
    if (!months[date.getUTCMonth() + 1]) return false
    const byDay = days[date.getUTCDate()] === true
    const weekday = date.getUTCDay()
    const byWeekday = weekdays[weekday] === true || (weekday === 0 && weekdays[7] === true)
    return isAnyDay || isAnyWeekday ? byDay && byWeekday : byDay || byWeekday
  }
  return (wallMinute) => {
    if (!minutes[wallMinute % 60] || !hours[Math.floor(wallMinute / 60) % 24]) return false
    const day = Math.floor(wallMinute / 1440)
    let is = known.get(day)
    if (is === undefined) known.set(day, (is = isDay(day)))
    return is
  }
}

const NAMES = 'SUN MON TUE WED THU FRI SAT'.split(' ')

function valuesOf(field = '', least: number, most: number): boolean[] {
  const values = Array.from({ length: most + 1 }, () => false)
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/')
    const [first = '', last = first] =
      range === '*' ? [String(least), String(most)] : range.split('-')
    const numberOf = (text: string): number =>
      NAMES.includes(text) ? NAMES.indexOf(text) : Number(text)
    for (let value = numberOf(first); value <= numberOf(last); value += Number(step))
      values[value] = true
  }
  return values
}

/** So many different patterns, always the same ones. Hours and minutes are mostly those at which clocks change. */
export function patterns(count: number): Pattern[] {
  let seed = 42
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  const one = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '*'
  const minutes = [
    '0',
    '30',
    '15',
    '59',
    '0,30',
    '10-12',
    '*/15',
    '*/30',
    '*',
    '5,20-22',
    '45',
    '0-59/20',
    '7',
  ]
  const hours = [
    '2',
    '1',
    '0',
    '3',
    '23',
    '1-3',
    '0,2',
    '*',
    '*/2',
    '*/6',
    '2,14',
    '12',
    '0-4',
    '1-23/2',
    '9',
  ]
  const days = ['*', '*', '*', '*', '1', '15', '29', '8-14', '*/7', '1,31', '25-31']
  const months = ['*', '*', '*', '3', '10', '4-9', '3,10,11', '*/3']
  const weekdays = ['*', '*', '*', '0', '7', 'SUN', 'MON-FRI', '6,0', '1', '5']
  const made = new Map<string, Pattern>()
  while (made.size < count) {
    const fields = [one(minutes), one(hours), one(days), one(months), one(weekdays)]
    made.set(fields.join(' '), { text: fields.join(' '), fields })
  }
  return [...made.values()]
}
