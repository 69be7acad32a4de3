import type { TaskResult } from '../../index'
import {
  ALIAS,
  MILLISECONDS,
  type OptionTable,
  type Rule,
  type Subject,
  check,
  completed,
  isRecord,
  or,
  QUEUE_NAME,
  row,
  settingsSubject,
  wholeNumber,
} from '../../lib/errors/option-checks'
import { type Difference, differencesOf } from './differences'
import type { Expected } from './matchers'

/** What a call must have beside its arguments; what is left out is not compared. */
export interface Wanted {
  queueName?: string | undefined
  priority?: number | undefined
  /** An alias of TASKS. */
  backend?: string | undefined
  /** Keyword arguments, as those of `enqueueWith`. */
  kwargs?: Expected<Readonly<Record<string, unknown>>> | undefined
  /** When it is due: not before an instant, give or take `within` milliseconds, by default 1000; null: at once. */
  runAfter?: { of: Date; within?: number | undefined } | null | undefined
  /** How many calls must match. Default: one at least. */
  count?: number | undefined
}

const WHOLE = { expected: 'a whole number', isSound: Number.isInteger } satisfies Rule
const KWARGS: Rule = { expected: 'an object, or a matcher', isSound: isRecord }
const RUN_AFTER: Rule = {
  expected: '{ of: Date, within: ms }, or null',
  isSound: (value) => isRecord(value) && value['of'] instanceof Date,
  hint: 'Write runAfter: { of: new Date(…), within: 1_000 }, since instants are never equal to the millisecond.',
  checkInside: (subject, name, value) =>
    isRecord(value) &&
    check(subject, `${name}.within`, value['within'], or(undefined, MILLISECONDS)),
}

const WANTED = {
  queueName: row<string | undefined>(undefined, or(undefined, QUEUE_NAME)),
  priority: row<number | undefined>(undefined, or(undefined, WHOLE)),
  backend: row<string | undefined>(undefined, or(undefined, ALIAS)),
  kwargs: row<Wanted['kwargs']>(undefined, or(undefined, KWARGS)),
  runAfter: row<Wanted['runAfter']>(undefined, or(undefined, or(null, RUN_AFTER))),
  count: row<number | undefined>(undefined, or(undefined, wholeNumber(1))),
} satisfies OptionTable<Wanted>

/** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function checkedWanted(wanted: Wanted, what: string): Wanted {
  const subject: Subject = settingsSubject(what)
  return completed(subject, wanted, WANTED)
}

/** In what a call differs from what is wanted beside its arguments. */
export function wantedDifferences(
  { queueName, priority, backend, kwargs, runAfter }: Wanted,
  result: TaskResult<unknown>,
): readonly Difference[] {
  const plain = Object.entries({ queueName, priority, backend, kwargs }).flatMap(([name, value]) =>
    value === undefined ? [] : differencesOf(value, Reflect.get(result, name), [name]),
  )
  return [...plain, ...dueDifferences(runAfter, result.runAfter)]
}

const WITHIN_MS = 1_000

function dueDifferences(wanted: Wanted['runAfter'], actual: Date | null): readonly Difference[] {
  if (wanted === undefined) return []
  const path = ['runAfter']
  if (wanted === null)
    return actual === null ? [] : [{ path, expected: null, actual: actual.toISOString() }]
  const { of, within = WITHIN_MS } = wanted
  const isNear = actual !== null && Math.abs(actual.getTime() - of.getTime()) <= within
  const expected = `${of.toISOString()} ± ${within} ms`
  return isNear ? [] : [{ path, expected, actual: actual?.toISOString() ?? null }]
}
