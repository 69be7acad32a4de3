import { oneLine, withoutPasswords } from './foreign-text'
import type * as levenshtein from 'fastest-levenshtein'

/** Longer names are cut where people read them, and resemble no other one. */
const MAX_NAME = 255

/** A task's name as log lines and messages show it: a row that somebody else wrote may have one of megabytes. */
export function briefName(name: string): string {
  return name.length <= MAX_NAME
    ? name
    : `${name.slice(0, MAX_NAME)}… (${name.length} characters)`.toWellFormed()
}

/** `Did you mean "x"?` where a known name is near enough to be a typing error, or begins with what was given; else nothing. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  // The distance takes time by the product of both lengths.
  if (name.length > MAX_NAME) return undefined
  const { distance } = require('fastest-levenshtein') as typeof levenshtein
  const given = name.toLowerCase()
  const [best] = known
    .map((candidate) => ({ candidate, far: distance(given, candidate.toLowerCase()) }))
    .filter(
      ({ candidate, far }) =>
        far <= Math.max(2, name.length / 3) ||
        (given.length > 3 && candidate.toLowerCase().startsWith(given)),
    )
    .toSorted((a, b) => a.far - b.far)
  return best && `Did you mean "${best.candidate}"?`
}

/** What other libraries, or other options of this one, call an option: the first of ours that is known there is meant. */
const OTHER_WORDS: readonly (readonly [theirs: readonly string[], ours: readonly string[]])[] = [
  [
    [
      'retention',
      'keepResults',
      'keepFor',
      'ttl',
      'expire',
      'expires',
      'expireAfter',
      'removeOnComplete',
      'removeOnFail',
    ],
    ['keepResults', 'retention'],
  ],
  [['url', 'uri', 'redis', 'host', 'port', 'client', 'cluster'], ['connection']],
  [['keyPrefix', 'namespace'], ['prefix']],
  [['lease', 'lockDuration', 'visibilityTimeout'], ['leaseSeconds']],
  [['maxStalledCount'], ['maxCrashes']],
  [
    ['attempts', 'retries', 'maxRetries'],
    ['maxAttempts', 'retry'],
  ],
  [['backoff'], ['retry']],
  [['timeout'], ['timeLimit']],
  [['eta', 'countdown', 'delay'], ['runAfter']],
  [['jobId', 'deduplication'], ['uniqueKey']],
]

/** The same for an option that is not known, which may also have the name of another library's. */
export function meantOption(name: string, known: readonly string[]): string | undefined {
  const [, ours = []] = OTHER_WORDS.find(([theirs]) => theirs.includes(name)) ?? []
  const meant = ours.find((word) => known.includes(word))
  return meant === undefined ? didYouMean(name, known) : `Did you mean "${meant}"?`
}

/** "Expected …, got …", as every option check of the house words it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${oneLine(withoutPasswords(value))}'`
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `Date ${value.toISOString()}`
  if (typeof value === 'function') return shownFunction(value)
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value)
      ? 'an array'
      : `an object (${value.constructor?.name ?? 'no prototype'})`
  return String(value)
}

/** A function's text is its whole source. */
function shownFunction(value: { readonly name: string }): string {
  const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'function'
  return value.name === '' ? `a ${kind}` : `${kind} ${value.name}`
}
