import { partDifferences } from './differences'
import { type Matcher, PartialMatcher, type Parts } from './matchers'

/** Matches objects that have these parts, at any depth; what is not named may be as it likes. Lists are compared as a whole. */
export function partial<T extends object>(parts: Parts<T>): Matcher {
  return new PartialMatcher(parts, (wanted, value) => partDifferences(wanted, value).length === 0)
}
