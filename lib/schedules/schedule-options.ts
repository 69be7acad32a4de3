import { createHash } from 'node:crypto'
import { InvalidTaskError } from '../errors/errors'
import {
  type Completed,
  type Rule,
  type Subject,
  TRUE_OR_FALSE,
  check,
  completed,
  isRecord,
  isWithin,
  or,
  printable,
  row,
} from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import { orderOf } from '../tasks/orders'
import type { CallOptions } from '../tasks/task-options'
import type { AnyTask } from '../task-type'
import { assertZone, cronSlots, everySlots, type Slots } from './slots'

const DAY_MS = 86_400_000
const YEAR_MS = 366 * DAY_MS
const MAX_NAME = 255
const MAX_EXPRESSION = 200

/** What becomes of slots that no worker enqueued in time. */
export type Missed = 'skip' | 'once' | 'all'
/** What becomes of a slot while the one before waits or runs. */
export type Overlap = 'allow' | 'skip'

/** As for `using` of a task; when it runs says the schedule, and the key of its row is the slot's. */
export interface ScheduledUsing extends Omit<
  CallOptions,
  'runAfter' | 'manager' | 'uniqueKey' | 'throttle' | 'debounce'
> {
  /** null takes off what the task asks for. */
  uniqueKey?: null | undefined
  /** null takes off what the task asks for. */
  throttle?: null | undefined
  /** null takes off what the task asks for. */
  debounce?: null | undefined
}

interface AtTimes {
  /** Minute, hour, day, month and weekday, e.g. `'30 2 * * *'`; also `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`. */
  cron: string
  /** The time zone of the expression, e.g. `'Europe/Berlin'`. Default `'UTC'`. */
  timeZone?: string | undefined
  every?: undefined
}

interface AtIntervals {
  /** Milliseconds, 1,000 to 366 days, counted from 1970 in UTC: `15 * 60_000` is due at each quarter of an hour. */
  every: number
  cron?: undefined
  timeZone?: undefined
}

interface HowItRuns {
  /**
   * What becomes of slots that no worker enqueued in time: `'once'` runs the latest of them, `'all'` each of them, up to 1,000,
   * `'skip'` none. Default `'once'`.
   */
  missed?: Missed | undefined
  /** Milliseconds, up to 366 days: older slots are not made up for. Default a day. */
  within?: number | undefined
  /** `'skip'` leaves a slot out while the one before waits or runs. Default `'allow'`. */
  overlap?: Overlap | undefined
  /** Queue, priority, backend and the like, for the runs of this schedule. */
  using?: ScheduledUsing | undefined
  /** false: workers do not fire it. Default true. */
  enabled?: boolean | undefined
}

/** The arguments of a slot's run. */
export type ArgumentsOf<Args extends unknown[]> =
  Readonly<Args> | ((slot: { readonly slot: Date }) => Readonly<Args> | Promise<Readonly<Args>>)

/** What a task takes: a list, or a function that gives it for a slot. May be left out for a task that needs none. */
type WithArguments<Args extends unknown[]> = [] extends Args
  ? { args?: ArgumentsOf<Args> | undefined }
  : { args: ArgumentsOf<Args> }

export type ScheduleOptions<Args extends unknown[]> = (AtTimes | AtIntervals) &
  HowItRuns &
  WithArguments<Args>

/** The options of a schedule, checked and complete, and what follows from them. */
export interface ScheduleValues {
  readonly name: string
  /** With what `using` changes of it. */
  readonly task: AnyTask
  /** 32 hex digits of name, expression and time zone: a changed expression has a history of its own. */
  readonly id: string
  /** The expression, or `every`, as a person writes it. */
  readonly when: string
  readonly timeZone: string
  readonly slots: Slots
  readonly args: ArgumentsOf<unknown[]>
  readonly missed: Missed
  readonly within: number
  readonly overlap: Overlap
  readonly enabled: boolean
}

const NAME: Rule = {
  expected: `a dotted identifier of at most ${MAX_NAME} characters`,
  isSound: (value) =>
    typeof value === 'string' &&
    value.length <= MAX_NAME &&
    /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(value),
  hint: 'Name it like "reports.nightly": letters, digits and _, parts joined by single dots.',
}
const TASK: Rule = {
  expected: 'a task',
  isSound: (value) => isRecord(value) && typeof value['using'] === 'function',
  hint: 'Pass what task(…) gave. It is undefined if it comes from a file that imports this one.',
}
const EVERY: Rule = {
  expected: `a whole number of milliseconds from 1000, once a second, to ${YEAR_MS}, 366 days`,
  isSound: (value) => Number.isInteger(value) && isWithin(value, 1_000, YEAR_MS),
}
const ARGS: Rule = {
  expected: 'a list of arguments, or a function of { slot } that gives it',
  isSound: (value) => Array.isArray(value) || typeof value === 'function',
}
const WITHIN: Rule = {
  expected: `a number of milliseconds from 0 to ${YEAR_MS}, 366 days`,
  isSound: (value) => isWithin(value, 0, YEAR_MS),
}
const USING: Rule = { expected: 'an object of options', isSound: isRecord }

const OPTIONS = {
  cron: row<string | undefined>(undefined, or(undefined, printable(MAX_EXPRESSION))),
  timeZone: row<string | undefined>(undefined, or(undefined, printable(MAX_EXPRESSION))),
  every: row<number | undefined>(undefined, or(undefined, EVERY)),
  args: row<ArgumentsOf<unknown[]>>([], ARGS),
  missed: row<Missed>('once', oneOf('skip', 'once', 'all')),
  within: row(DAY_MS, WITHIN),
  overlap: row<Overlap>('allow', oneOf('allow', 'skip')),
  using: row<ScheduledUsing>({}, USING),
  enabled: row(true, TRUE_OR_FALSE),
}

type Given = Completed<typeof OPTIONS>

/** @throws InvalidTaskError naming the option, what was expected and what was found. */
export function scheduleValues(name: string, task: AnyTask, options: object): ScheduleValues {
  const subject = subjectOf(String(name))
  check(subject, 'name', name, NAME)
  check(subject, 'task', task, TASK)
  const given = completed(subject, options, OPTIONS)
  assertTiming(subject, given)
  const { args, missed, within, overlap, enabled } = given
  if (missed === 'all' && overlap === 'skip')
    throw new subject.Fault(
      `${subject.what}: missed: 'all' asks for every slot, and overlap: 'skip' leaves some out.`,
      "Take missed: 'once', or leave overlap out.",
    )
  const used = usedTask(subject, task, given.using)
  // What depends on no slot is known to be wrong now.
  if (typeof args !== 'function') orderOf(used, args, {})
  return {
    name,
    task: used,
    ...timingOf(subject, name, given),
    args,
    missed,
    within,
    overlap,
    enabled,
  }
}

export function subjectOf(name: string): Subject {
  return { what: `Schedule "${name}"`, Fault: InvalidTaskError, hint: 'Change the value.' }
}

function assertTiming(subject: Subject, { cron, every, timeZone }: Given): void {
  if ((cron === undefined) === (every === undefined))
    throw new subject.Fault(
      `${subject.what} has ${cron === undefined ? 'neither cron nor every' : 'both cron and every'}.`,
      "Write cron: '30 2 * * *', or every: 15 * 60_000.",
    )
  if (every !== undefined && timeZone !== undefined)
    throw new subject.Fault(
      `${subject.what}: timeZone goes with cron only; every counts from 1970 in UTC.`,
      'Leave timeZone out, or write a cron expression.',
    )
}

function timingOf(
  subject: Subject,
  name: string,
  { cron, every = 0, timeZone = 'UTC' }: Given,
): Pick<ScheduleValues, 'id' | 'when' | 'timeZone' | 'slots'> {
  if (cron === undefined) {
    const id = idOf(name, `every ${every}`, timeZone)
    return { id, when: `every ${inUnits(every)}`, timeZone, slots: everySlots(every) }
  }
  assertZone(subject, timeZone)
  const when = cron.trim().replace(/\s+/g, ' ')
  const slots = cronSlots(subject, when, timeZone)
  return { id: idOf(name, when, timeZone), when, timeZone, slots }
}

function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}

const UNITS = [
  ['d', DAY_MS],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** In the largest unit of which it is a whole number. */
function inUnits(ms: number): string {
  const [unit, size] = UNITS.find(([, each]) => ms % each === 0) ?? ['ms', 1]
  return `${ms / size} ${unit}`
}

/** @throws InvalidTaskError for what a schedule decides itself, and for keys: a row has one, and that is the slot's. */
function usedTask(subject: Subject, task: AnyTask, using: CallOptions): AnyTask {
  for (const option of ['runAfter', 'manager'])
    if (Reflect.get(using, option) !== undefined)
      throw new subject.Fault(
        `${subject.what}, using.${option}: the schedule itself says when a run is due, and enqueues it in no transaction.`,
        `Leave ${option} out.`,
      )
  const used = task.using(using)
  const key = (['uniqueKey', 'throttle', 'debounce'] as const).find((name) => used[name] !== null)
  if (key !== undefined)
    throw new subject.Fault(
      `${subject.what}: task "${task.name}" asks for ${key}, and the row of a slot has the slot's key.`,
      `Take it off: using: { ${key}: null }; overlap: 'skip' leaves a slot out while the one before waits or runs.`,
    )
  return used
}

function oneOf(...words: readonly string[]): Rule {
  return {
    expected: `${words.slice(0, -1).map(shown).join(', ')} or ${shown(words.at(-1))}`,
    isSound: (value) => words.includes(value as string),
  }
}
