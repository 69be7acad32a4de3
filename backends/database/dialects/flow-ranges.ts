import type { Values } from '../connections/statement'
import type { KeyRange } from './flow-verbs'

/** The ends of a range of keys, and the pattern of those within it, as SQL. */
export interface Bounds {
  readonly from: string
  readonly upTo: string
  readonly like: string
}

/** All ranges as the rows of one table, `r (n, lower, upper, pattern)`, by parameters that are arrays of these names. */
export type RangeTable = string

/** One statement, and the ranges that it looks at: `n` of its rows is a place among them. */
export interface Look {
  readonly text: string
  readonly values: Values
  readonly part: readonly KeyRange[]
}

/** How many ranges one statement looks at: few texts, so that each can be prepared. */
const SIZES = [1, 4, 16, 64]
/** Up to so many are quicker without a table. */
const FEW = 4
/** The same where they are a table. */
const MOST_OF_TABLE = 1_000

/** Statements that look at many ranges of keys at once. */
export class RangeLooks {
  readonly #table: RangeTable | undefined
  readonly #texts = new Map<string, string>()

  constructor(table: RangeTable | undefined) {
    this.#table = table
  }

  /** `look`: the SELECT for one range, with a LIMIT; `what` is its name, by which its texts are kept. */
  *of(
    what: string,
    ranges: readonly KeyRange[],
    look: (bounds: Bounds) => string,
  ): Generator<Look, void, undefined> {
    const most = this.#table === undefined ? (SIZES.at(-1) ?? 1) : MOST_OF_TABLE
    for (let i = 0; i < ranges.length; i += most) {
      const part = ranges.slice(i, i + most)
      yield {
        part,
        ...(this.#table === undefined || part.length <= FEW
          ? this.#union(what, part, look)
          : inTable(part, this.#table, look)),
      }
    }
  }

  #union(
    what: string,
    part: readonly KeyRange[],
    look: (bounds: Bounds) => string,
  ): Omit<Look, 'part'> {
    const size = SIZES.find((each) => each >= part.length) ?? part.length
    const values: Record<string, string> = {}
    // The last range is repeated, where there are fewer.
    for (let n = 0; n < size; n++)
      Object.assign(values, valuesOf(part[Math.min(n, part.length - 1)], n))
    const name = `${what} ${size}`
    const text = this.#texts.get(name) ?? unionOf(size, look)
    this.#texts.set(name, text)
    return { text, values }
  }
}

export const BOUNDS: Bounds = boundsOf('')

/** The values of one range, as `BOUNDS` names them. */
export function valuesOf(range: KeyRange | undefined, n: number | '' = ''): Values {
  const { set = '', from = '', upTo = '' } = range ?? {}
  return { [`from${n}`]: from, [`upTo${n}`]: upTo, [`like${n}`]: patternOf(set) }
}

function boundsOf(n: number | ''): Bounds {
  return { from: `:from${n}`, upTo: `:upTo${n}`, like: `:like${n}` }
}

function patternOf(set: string): string {
  return `g${set}%`
}

function unionOf(size: number, look: (bounds: Bounds) => string): string {
  return Array.from(
    { length: size },
    (_, n) => `SELECT ${n} AS n, page.* FROM (${look(boundsOf(n))}) page`,
  ).join(' UNION ALL ')
}

function inTable(
  part: readonly KeyRange[],
  table: RangeTable,
  look: (bounds: Bounds) => string,
): Omit<Look, 'part'> {
  const page = look({ from: 'r.lower', upTo: 'r.upper', like: 'r.pattern' })
  return {
    text: `SELECT r.n AS n, page.* FROM ${table} CROSS JOIN LATERAL (${page}) page`,
    values: {
      lower: { column: part.map(({ from }) => from) },
      upper: { column: part.map(({ upTo }) => upTo) },
      pattern: { column: part.map(({ set }) => patternOf(set)) },
    },
  }
}
