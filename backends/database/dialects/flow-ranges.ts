import type { Values } from '../connections/statement'
import type { KeyRange } from './flow-verbs'

/** A range of keys as SQL: its place among others, its ends, and the pattern of those within it. */
export interface Bounds {
  readonly n: string
  readonly from: string
  readonly upTo: string
  readonly like: string
}

/** What a look takes of rows `m`, from the first key of a range on. */
export interface Sought {
  /** Its name, by which its texts are kept. */
  readonly what: string
  readonly columns: string
  readonly where: (bounds: Bounds) => string
  readonly limit: number | string
}

/** All ranges as the rows of one table `r (n, lower, upper, pattern)`, where that is quicker than a SELECT for each of them. */
export interface RangeTable {
  /** From how many ranges on it is. */
  readonly least: number
  /** `page`: the SELECT for the range of a row `r`. */
  readonly statement: (path: string, sought: Sought, page: string) => string
  /** `pattern`: that of the keys of a set. */
  readonly values: (part: readonly KeyRange[], pattern: (set: string) => string) => Values
}

/** The range of a row of such a table. */
export const OF_ROW: Bounds = { n: 'r.n', from: 'r.lower', upTo: 'r.upper', like: 'r.pattern' }

/** One statement, and the ranges that it looks at: `n` of its rows is a place among them. */
export interface Look {
  readonly text: string
  readonly values: Values
  readonly part: readonly KeyRange[]
}

/** How many ranges one statement looks at: few texts, so that each can be prepared. */
const SIZES = [1, 4, 16, 64]
/** The same where they are a table. */
const MOST_OF_TABLE = 1_000

/** Statements that look at many ranges of keys at once. */
export class RangeLooks {
  readonly #path: string
  readonly #table: RangeTable | undefined
  readonly #texts = new Map<string, string>()

  constructor(path: string, table: RangeTable | undefined) {
    this.#path = path
    this.#table = table
  }

  *of(sought: Sought, ranges: readonly KeyRange[]): Generator<Look, void, undefined> {
    const table = this.#table
    const most = table === undefined ? (SIZES.at(-1) ?? 1) : MOST_OF_TABLE
    for (let i = 0; i < ranges.length; i += most) {
      const part = ranges.slice(i, i + most)
      if (table === undefined || part.length < table.least) yield this.#union(sought, part)
      else
        yield {
          text: table.statement(this.#path, sought, pageOf(this.#path, sought, OF_ROW)),
          values: table.values(part, patternOf),
          part,
        }
    }
  }

  #union(sought: Sought, part: readonly KeyRange[]): Look {
    const size = SIZES.find((each) => each >= part.length) ?? part.length
    const values: Record<string, string> = {}
    // The last range is repeated, where there are fewer.
    for (let n = 0; n < size; n++)
      Object.assign(values, valuesOf(part[Math.min(n, part.length - 1)], n))
    const name = `${sought.what} ${size}`
    const text = this.#texts.get(name) ?? unionOf(size, this.#path, sought)
    this.#texts.set(name, text)
    return { text, values, part }
  }
}

export const BOUNDS: Bounds = boundsOf('')

/** The values of one range, as `BOUNDS` names them. */
export function valuesOf(range: KeyRange | undefined, n: number | '' = ''): Values {
  const { set = '', from = '', upTo = '' } = range ?? {}
  return { [`from${n}`]: from, [`upTo${n}`]: upTo, [`like${n}`]: patternOf(set) }
}

/** The rows of one range. */
export function firstOf(
  { where, limit }: Omit<Sought, 'columns' | 'what'>,
  bounds: Bounds,
): string {
  return `WHERE ${where(bounds)} ORDER BY m.unique_key LIMIT ${limit}`
}

function boundsOf(n: number | ''): Bounds {
  return { n: String(n), from: `:from${n}`, upTo: `:upTo${n}`, like: `:like${n}` }
}

function patternOf(set: string): string {
  return `g${set}%`
}

function pageOf(path: string, sought: Sought, bounds: Bounds): string {
  return `SELECT ${bounds.n} AS n, ${sought.columns} FROM ${path} m ${firstOf(sought, bounds)}`
}

function unionOf(size: number, path: string, sought: Sought): string {
  return Array.from({ length: size }, (_, n) => `(${pageOf(path, sought, boundsOf(n))})`).join(
    ' UNION ALL ',
  )
}
