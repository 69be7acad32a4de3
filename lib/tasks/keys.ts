import type { TaskKey } from '../order'
import { InvalidTaskError } from '../errors/errors'
import {
  LONGEST_TIMER_MS,
  type OptionRow,
  type Rule,
  type Subject,
  assertKnown,
  check,
  isRecord,
  isWithin,
  or,
  printable,
  taskSubject,
} from '../errors/option-checks'

// oxlint-disable-next-line typescript/no-explicit-any -- so that functions of any arguments are taken
export type AnyArguments = any[]

/** A key, or what makes it from the arguments of a call. */
export type Key<Args extends unknown[] = AnyArguments> = string | ((...args: Args) => string)

/** At most one task of a key in a time. */
export interface Throttle<Args extends unknown[] = AnyArguments> {
  /** 1 to 126 characters, no blank at the end; or a function of the arguments that gives it. */
  key: Key<Args>
  /** Milliseconds from an enqueue, by the database's clock, in which another one writes nothing, and gives its result. */
  every: number
}

/** One task for many calls, once they have stopped. */
export interface Debounce<Args extends unknown[] = AnyArguments> {
  /** 1 to 126 characters, no blank at the end; or a function of the arguments that gives it. */
  key: Key<Args>
  /** Milliseconds without another call, by the database's clock, after which the task runs, with the arguments of the last one. */
  wait: number
  /** Milliseconds since the first call after which it runs, however many calls follow. Default: no limit. */
  atMost?: number | undefined
}

/** The options that keep a second task of a key out; a task has one of them at most. */
export interface KeyOptions<Args extends unknown[] = AnyArguments> {
  /**
   * While a task with this key waits or runs, enqueueing it again gives that one's result. 1 to 126 characters, no blank at the
   * end; or a function of the arguments that gives it.
   */
  uniqueKey?: Key<Args> | null | undefined
  /** Enqueued not more often than once in a time: else a call gives the result of the one before, also if that has finished. */
  throttle?: Throttle<Args> | null | undefined
  /** Runs once there was no call for a time, with the newest arguments. */
  debounce?: Debounce<Args> | null | undefined
}

export const MAX_UNIQUE_KEY = 126
const KEY_TEXT = printable(MAX_UNIQUE_KEY)
/** MySQL and MariaDB compare texts without the blanks at their ends. */
const KEY: Rule = {
  expected: `${KEY_TEXT.expected} without a blank at the end`,
  isSound: (value) => KEY_TEXT.isSound(value) && !String(value).endsWith(' '),
}
const MADE_KEY = 'Have the function return a text made of the arguments alone, without await.'
const KEY_OR_FUNCTION: Rule = {
  expected: `${KEY.expected}, or a function that gives it`,
  isSound: (value) => typeof value === 'function' || KEY.isSound(value),
}
const TIME: Rule = {
  expected: `a number of milliseconds from 1 to ${LONGEST_TIMER_MS}`,
  isSound: (value) => isWithin(value, 1, LONGEST_TIMER_MS),
}

const THROTTLE = { key: KEY_OR_FUNCTION, every: TIME }
const DEBOUNCE = { key: KEY_OR_FUNCTION, wait: TIME, atMost: or(undefined, TIME) }

/** The rows of these options in the table of all task options. */
export const KEY_TABLE = {
  uniqueKey: {
    where: 'both',
    default: null,
    ...or(null, KEY_OR_FUNCTION),
    expected: `${KEY_OR_FUNCTION.expected}, or null`,
  },
  throttle: {
    where: 'both',
    default: null,
    expected: '{ key, every }',
    isSound: (value: unknown) => value === null || isRecord(value),
    checkInside: (subject: Subject, name: string, value: unknown) =>
      checkParts(subject, name, value, THROTTLE),
  },
  debounce: {
    where: 'both',
    default: null,
    expected: '{ key, wait, atMost? }',
    isSound: (value: unknown) => value === null || isRecord(value),
    checkInside: checkDebounce,
  },
} as const satisfies Record<keyof KeyOptions, OptionRow & { where: 'both' }>

const NAMES = Object.keys(KEY_TABLE) as (keyof KeyOptions)[]

type KeyValues = { readonly [Name in keyof KeyOptions]-?: Exclude<KeyOptions[Name], undefined> }

/** @throws InvalidTaskError for a task that asks for two of them, or for a debounce and an instant to run at. */
export function assertOneKey(
  task: KeyValues & { readonly name: string; readonly runAfter: Date | null },
): void {
  const [one, other] = NAMES.filter((name) => task[name] !== null)
  if (other !== undefined)
    throw new InvalidTaskError(
      `Task "${task.name}" asks for ${one} and ${other}, and a task has one key.`,
      `Leave one out; using({ ${one}: null }) takes off what the task asks for.`,
    )
  if (task.debounce !== null && task.runAfter !== null)
    throw new InvalidTaskError(
      `Task "${task.name}" asks for debounce and runAfter, and debounce says when it runs.`,
      'Leave runAfter out, or take a longer wait.',
    )
}

/**
 * The key of a call with these arguments; null: it has none.
 *
 * @throws InvalidTaskError for a function that does not give a key; what it throws comes out as it is.
 */
export function keyOf(
  { name, uniqueKey, throttle, debounce }: KeyValues & { readonly name: string },
  args: readonly unknown[],
): TaskKey | null {
  if (uniqueKey !== null) return { kind: 'unique', key: keyFor(name, 'uniqueKey', uniqueKey, args) }
  if (throttle !== null) {
    const key = keyFor(name, 'throttle.key', throttle.key, args)
    return { kind: 'throttle', key, every: throttle.every }
  }
  if (debounce === null) return null
  const { wait, atMost = null } = debounce
  return { kind: 'debounce', key: keyFor(name, 'debounce.key', debounce.key, args), wait, atMost }
}

/** @throws InvalidTaskError for a task with a key, in a flow: a row has one key, and there it has that of the flow. */
export function assertNoKey(task: KeyValues & { readonly name: string }): void {
  const option = NAMES.find((name) => task[name] !== null)
  if (option === undefined) return
  throw new InvalidTaskError(
    `Task "${task.name}" asks for ${option}, and is part of a flow, where no task has a key of its own.`,
    `Take it off: using({ ${option}: null }).order(…).`,
  )
}

function keyFor(task: string, option: string, key: Key, args: readonly unknown[]): string {
  if (typeof key === 'string') return key
  const made: unknown = key(...args)
  check({ ...taskSubject(task), hint: MADE_KEY }, `${option}(…)`, made, KEY)
  return made as string
}

function checkDebounce(subject: Subject, name: string, value: unknown): void {
  checkParts(subject, name, value, DEBOUNCE)
  if (value === null) return
  const { wait, atMost } = value as Debounce
  if (atMost !== undefined && atMost < wait)
    throw new subject.Fault(
      `${subject.what}, ${name}: atMost (${atMost} ms) is less than wait (${wait} ms).`,
      'Give it as long as wait at least, or leave it out.',
    )
}

function checkParts(
  subject: Subject,
  name: string,
  value: unknown,
  rules: Readonly<Record<string, Rule>>,
): void {
  if (value === null) return
  const parts = value as Record<string, unknown>
  assertKnown({ ...subject, what: `${subject.what}, ${name}` }, parts, Object.keys(rules))
  for (const [part, rule] of Object.entries(rules))
    check(subject, `${name}.${part}`, parts[part], rule)
}
