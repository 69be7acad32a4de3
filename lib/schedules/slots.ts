import type * as croner from 'croner'
import { oneLine } from '../errors/foreign-text'
import type { Subject } from '../errors/option-checks'
import { didYouMean, shown } from '../errors/suggestions'

/** When a schedule is due. */
export interface Slots {
  /** The first slots after an instant, at most `most`, the oldest first. */
  after(instant: number, most: number): Date[]
  /** The last slots up to and with an instant, at most `most`, the newest first. */
  upTo(instant: number, most: number): Date[]
}

const NICKNAMES =
  'Write @hourly, @daily, @weekly, @monthly or @yearly; for an interval take every, in ms, in the place of cron.'
const FIVE_FIELDS =
  "Write minute, hour, day, month and weekday, e.g. '30 2 * * *' for half past two each night."

/** Each `ms` milliseconds, counted from 1970. */
export function everySlots(ms: number): Slots {
  const slotsFrom = (first: number, step: number, most: number): Date[] =>
    Array.from({ length: most }, (_, i) => new Date(first + i * step))
  return {
    after: (instant, most) => slotsFrom((Math.floor(instant / ms) + 1) * ms, ms, most),
    upTo: (instant, most) => slotsFrom(Math.floor(instant / ms) * ms, -ms, most),
  }
}

/**
 * The slots of a cron expression in a time zone.
 *
 * Where clocks change: an expression with neither `*` nor a step in minute and hour names times of the day. One that does not
 * exist on a day is due at the end of the gap, one that comes twice the first time. Any other one is due whenever the clocks
 * on the wall match it: twice where they show the same twice, and not in a gap.
 *
 * @throws subject.Fault for what is no such expression, and for one that is never due again.
 */
export function cronSlots(subject: Subject, expression: string, timeZone: string): Slots {
  const { Cron } = require('croner') as typeof croner
  const cron = parsed(subject, expression, () => {
    return new Cron(expression, {
      timezone: timeZone,
      paused: true,
      mode: '5-part',
      fixedTimeRule: 'no-wildcard',
    })
  })
  if (cron.nextRun() === null)
    throw new subject.Fault(
      `${subject.what}, cron: ${shown(expression)} is never due.`,
      'There is no such day; correct day and month.',
    )
  return {
    after: (instant, most) => cron.nextRuns(most, new Date(instant)),
    // It gives those before an instant.
    upTo: (instant, most) => cron.previousRuns(most, new Date(instant + 1)),
  }
}

/** @throws subject.Fault for a zone that is not known here. */
export function assertZone(subject: Subject, timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone })
  } catch {
    throw new subject.Fault(
      `${subject.what}, timeZone: ${shown(timeZone)} is not known.`,
      zoneMeant(timeZone) ??
        "Write the name of an IANA time zone, such as 'Europe/Berlin', or 'UTC'.",
    )
  }
}

/** People write a city alone, too: `berlin`, `New York`. */
function zoneMeant(timeZone: string): string | undefined {
  const zones = Intl.supportedValuesOf('timeZone')
  const city = `/${timeZone.trim().replaceAll(' ', '_').toLowerCase()}`
  const inZone = zones.find((zone) => zone.toLowerCase().endsWith(city))
  return didYouMean(inZone ?? timeZone, zones)
}

function parsed<T>(subject: Subject, expression: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (expression.startsWith('@'))
      throw new subject.Fault(
        `${subject.what}, cron: ${shown(expression)} is no cron expression.`,
        NICKNAMES,
      )
    const reason = error instanceof Error ? error.message : String(error)
    const fields = expression.match(/\S+/g)?.length ?? 0
    throw new subject.Fault(
      `${subject.what}, cron: ${shown(expression)} is no cron expression: ${inOurWords(reason, fields)}.`,
      fields > 5
        ? `${FIVE_FIELDS} For less than a minute take every, in ms, in the place of cron.`
        : FIVE_FIELDS,
    )
  }
}

function inOurWords(reason: string, fields: number): string {
  if (/parts are required|requires exactly/.test(reason))
    return `it has ${fields} ${fields === 1 ? 'field' : 'fields'}, not 5`
  const words = reason.replace(/^CronPattern: (Syntax error, )?/, '').replace(/\.$/, '')
  return oneLine(words.charAt(0).toLowerCase() + words.slice(1))
}
