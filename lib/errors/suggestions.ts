import type * as levenshtein from 'fastest-levenshtein'

/** `Did you mean "x"?` where a known name is near enough to be a typing error, or begins with what was given; else nothing. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
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

/** "Expected …, got …", as every option check of the house words it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `Date ${value.toISOString()}`
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value)
      ? 'an array'
      : `an object (${value.constructor?.name ?? 'no prototype'})`
  return String(value)
}
