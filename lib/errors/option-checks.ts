import { type TasksError, InvalidSettingsError, InvalidTaskError } from './errors'
import { meantOption, shown } from './suggestions'

/** Whose options are checked: how an error names it, and of which class the error is. */
export interface Subject {
  /** What the message begins with, e.g. `Task "mail.send"`. */
  readonly what: string
  readonly Fault: new (message: string, hint: string) => TasksError
  /** The fix, unless the rule names its own. */
  readonly hint: string
}

/** What a value must be. */
export interface Rule {
  /** Follows "expected" in the message. */
  readonly expected: string
  readonly isSound: (value: unknown) => boolean
  readonly hint?: string
  /** Checks the parts of a value that is sound as a whole. */
  readonly checkInside?: (subject: Subject, name: string, value: unknown) => void
}

/** An option: what it must be, and what holds if it is absent or undefined. */
export interface OptionRow<Value = unknown> extends Rule {
  readonly default: Value
}

/** A row for each option. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: OptionRow }

/** The options of a table, each present. */
export type Completed<Table extends Readonly<Record<string, OptionRow>>> = {
  readonly [Name in keyof Table]: Table[Name]['default']
}

export const MAX_QUEUE_NAME = 32

export const TRUE_OR_FALSE: Rule = {
  expected: 'true or false',
  isSound: (value) => typeof value === 'boolean',
}

export const MILLISECONDS: Rule = {
  expected: 'a finite number of milliseconds, 0 or more',
  isSound: (value) => isWithin(value, 0, Number.MAX_VALUE),
}

/** A longer timer of Node fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A delay in milliseconds until another run. */
export const DELAY: Rule = {
  expected: `a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`,
  isSound: (value) => isWithin(value, 0, LONGEST_TIMER_MS),
}

export const ALIAS: Rule = {
  expected: 'an alias of TASKS',
  isSound: (value) => typeof value === 'string',
}

export const QUEUE_NAME: Rule = {
  expected: `a queue name of 1 to ${MAX_QUEUE_NAME} letters, digits and _ . : @ / -`,
  isSound: (value) =>
    typeof value === 'string' &&
    value.length <= MAX_QUEUE_NAME &&
    /^[\p{L}\p{N}_.:@/-]+$/u.test(value),
  hint: 'Rename the queue.',
}

export const QUEUE_NAMES: Rule = {
  expected: 'a list of queue names',
  isSound: Array.isArray,
  checkInside: (subject, _, names) => {
    for (const name of names as unknown[]) check(subject, '', name, QUEUE_NAME)
  },
}

export const QUEUE_NAMES_OR_ALL: Rule = {
  expected: "a list of queue names, or '*' for all",
  // A text is no list of names, though its letters would pass for one.
  isSound: (value) => value === '*' || Array.isArray(value),
  checkInside: (subject, name, value) => {
    const queues = value as readonly unknown[] | '*'
    if (queues.length === 0)
      throw new subject.Fault(
        `${subject.what}: ${name} is empty.`,
        "Name at least one, or '*' for all.",
      )
    if (!queues.includes('*')) QUEUE_NAMES.checkInside?.(subject, name, queues)
  },
}

/** For an option that is checked elsewhere, or not at all. */
export const ANYTHING: Rule = { expected: 'anything', isSound: () => true }

export function wholeNumber(least: number): Rule {
  return {
    expected: `a whole number, ${least} or more`,
    isSound: (value) => Number.isSafeInteger(value) && isWithin(value, least, Number.MAX_VALUE),
  }
}

/** No database keeps half of a surrogate pair as it is, and Django cannot read a row with one. */
export function printable(most: number): Rule {
  return {
    expected: `1 to ${most} printable characters`,
    isSound: (value) =>
      typeof value === 'string' && value.length <= most && /^[^\p{Cc}\p{Cs}]+$/u.test(value),
  }
}

/** The same rule, with `value` sound besides. */
export function or(value: unknown, { isSound, ...rule }: Rule): Rule {
  return { ...rule, isSound: (given) => given === value || isSound(given) }
}

/** A row of an option table. */
export function row<Value>(value: Value, rule: Rule): OptionRow<Value> {
  return { ...rule, default: value }
}

/** Errors about a task and its options. */
export function taskSubject(name: string): Subject {
  return { what: `Task "${name}"`, Fault: InvalidTaskError, hint: 'Change the value.' }
}

/** Errors about options of a worker and the like. */
export function settingsSubject(what: string): Subject {
  return { what, Fault: InvalidSettingsError, hint: 'Change the option.' }
}

/** @throws subject.Fault, naming the option (nothing: the subject itself), what was expected and what was found. */
export function check(subject: Subject, name: string, value: unknown, rule: Rule): void {
  if (!rule.isSound(value)) throw unexpected(subject, name, rule, value)
  rule.checkInside?.(subject, name, value)
}

export function unexpected(
  { what, Fault, hint }: Subject,
  name: string,
  rule: Pick<Rule, 'expected' | 'hint'>,
  value: unknown,
): TasksError {
  const named = name === '' ? what : `${what}, ${name}`
  return new Fault(
    `${named}: expected ${rule.expected}, got ${shown(value)}.`,
    isCutPair(value) ? HALF_PAIR : (rule.hint ?? hint),
  )
}

const HALF_PAIR =
  'It has half of a surrogate pair, as slice() leaves of an emoji: use text.toWellFormed().'

function isCutPair(value: unknown): boolean {
  return typeof value === 'string' && !value.isWellFormed()
}

/** @throws subject.Fault unless `options` is an object with none but the known keys. */
export function assertKnown(
  { what, Fault }: Subject,
  options: unknown,
  known: readonly string[],
  kind: 'option' | 'key' = 'option',
): void {
  if (!isRecord(options))
    throw new Fault(
      `${what}: expected an object of ${kind}s, got ${shown(options)}.`,
      'Write { … }.',
    )
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new Fault(
        `${what}: unknown ${kind} "${name}".`,
        meantOption(name, known) ?? `Known ${kind}s: ${known.join(', ')}.`,
      )
}

/** The checked options, with the defaults of `table` for those that are absent or undefined. */
export function completed<Table extends Readonly<Record<string, OptionRow>>>(
  subject: Subject,
  options: object,
  table: Table,
): Completed<Table> {
  assertKnown(subject, options, Object.keys(table))
  const given = options as Readonly<Record<string, unknown>>
  const values = Object.entries(table).map(([name, option]) => {
    const value = given[name] === undefined ? option.default : given[name]
    check(subject, name, value, option)
    return [name, value]
  })
  return Object.fromEntries(values) as Completed<Table>
}

/** An object that is no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}
