import type { Label, Labels } from './table'

/** The most values of one label. */
export const MOST_VALUES = 100
/** What stands for all others. */
export const OTHER = '_OTHER'
/** The most characters of a value: names in rows of others may have any length. */
const LONGEST = 255

/** Keeps labels to a bounded number of values: each pair of values is a series that is kept for good. */
export class BoundedLabels {
  readonly #values = new Map<Label, Set<string>>()

  /** The labels of those names, in their order; what is missing or over the limit is `''` or `_OTHER`. */
  of(names: readonly Label[], labels: Labels): Record<string, string> {
    return Object.fromEntries(names.map((name) => [name, this.#bounded(name, labels[name] ?? '')]))
  }

  #bounded(name: Label, value: string): string {
    if (value === '') return value
    const known = this.#values.get(name) ?? new Set()
    this.#values.set(name, known)
    const text = value.slice(0, LONGEST).toWellFormed()
    if (known.has(text)) return text
    if (known.size >= MOST_VALUES) return OTHER
    known.add(text)
    return text
  }
}
