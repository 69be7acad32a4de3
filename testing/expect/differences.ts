import { isRecord } from '../../lib/errors/option-checks'
import { isMatcher, matcherText, PartialMatcher } from './matchers'

/** Marks a text that stands for a matcher. No text of an argument begins so: it is no printable character. */
export const MATCHER = '\u0001'

/** Where in a value, as keys and indexes. */
export type Path = readonly (string | number)[]

/** What an expectation and a call have otherwise. */
export interface Difference {
  readonly path: Path
  /** undefined: nothing should be there. */
  readonly expected: unknown
  /** undefined: nothing is there. */
  readonly actual: unknown
}

/** Where the actual value, which is JSON, is not as expected. What is expected is taken as JSON writes it. */
export function differencesOf(
  expected: unknown,
  actual: unknown,
  path: Path = [],
): readonly Difference[] {
  if (expected instanceof PartialMatcher) return partDifferences(expected.parts, actual, path)
  const differs = [{ path, expected, actual }]
  if (isMatcher(expected)) return expected.asymmetricMatch(actual) ? [] : differs
  const written = asWritten(expected)
  // JSON already, but in an assertion of a runner, which compares values of any class.
  const got = asWritten(actual)
  if (Array.isArray(written)) return Array.isArray(got) ? ofLists(written, got, path) : differs
  if (isRecord(written))
    return isRecord(got) ? ofRecords(written, got, keysOf(written, got), path) : differs
  return isSame(written, got) ? [] : differs
}

/** JSON writes -0 as 0. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || Object.is(one, other)
}

/** Those of the arguments of a call. */
export function argumentDifferences(
  expected: readonly unknown[],
  actual: readonly unknown[],
): readonly Difference[] {
  return ofLists(expected, actual, ['args'])
}

function ofLists(
  expected: readonly unknown[],
  actual: readonly unknown[],
  path: Path,
): readonly Difference[] {
  const length = Math.max(expected.length, actual.length)
  return Array.from({ length }, (_, i) => i).flatMap((i) => {
    // It is written as null, and left out at the end of the arguments.
    const isGap = i < expected.length && expected[i] === undefined && actual[i] === null
    return isGap ? [] : differencesOf(expected[i], actual[i], [...path, i])
  })
}

/** Nested objects of an expectation of parts are parts themselves. */
export function partDifferences(
  expected: unknown,
  actual: unknown,
  path: Path = [],
): readonly Difference[] {
  const written = isMatcher(expected) ? expected : asWritten(expected)
  if (isMatcher(written) || !isRecord(written) || !isRecord(actual))
    return differencesOf(written, actual, path)
  return Object.keys(written).flatMap((key) =>
    partDifferences(written[key], actual[key], [...path, key]),
  )
}

function ofRecords(
  expected: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  path: Path,
): readonly Difference[] {
  return keys.flatMap((key) => differencesOf(expected[key], actual[key], [...path, key]))
}

function keysOf(...records: readonly object[]): string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))]
}

/** Of an instance of a class what JSON writes of it. */
function asWritten(value: unknown): unknown {
  const hasOwnForm = typeof value === 'object' && value !== null && 'toJSON' in value
  if (!hasOwnForm || typeof value.toJSON !== 'function') return value
  return value.toJSON() as unknown
}

/** An expectation as it is shown, with matchers by their words. */
export function shownExpectation(expected: unknown): unknown {
  if (isMatcher(expected)) return MATCHER + matcherText(expected)
  const written = asWritten(expected)
  if (Array.isArray(written)) return written.map(shownExpectation)
  if (!isRecord(written)) return written
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => [key, shownExpectation(value)]),
  )
}
