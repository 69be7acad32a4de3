import { type ColumnName, COLUMNS, type TableColumn } from '../../../entities/columns'
import { dashed, hexOf } from '../../../entities/formats'
import { NOT_READ } from '../../../lib/browser'
import type { TaskResult } from '../../../lib/result'
import type { BrowseWords } from '../dialects/browsing/words'
import { selectList } from '../dialects/sql-text'
import { profileOf } from '../profiles/profile-of'
import type { ClaimedRaw, RawRow } from '../row'
import type { Table } from '../table'
import type { Asking } from './asking'

export interface SightSettings {
  readonly asking: Asking
  readonly table: Table
  readonly words: BrowseWords
  readonly backendName: string
  /** Ids are in the order of time, so that lists need no sort. Those in a table that Django made are not. */
  readonly isOurs: boolean
  /** Every id tells when it was made: none came from the app. */
  readonly hasTimedIds: boolean
  readonly resultOf: (row: RawRow) => TaskResult<unknown>
}

/** How many ids a statement has: few texts, of which the databases know most. */
const SIZES = [1, 20, 200]
const MOST = 200
/** Ids that are made at one instant begin alike; a clock may be this far from the database's, or a transaction this long. */
export const MARGIN_MS = 3_600_000

/** The most bytes that a list reads of a column, of those that may have any number of them: lists are read each second. */
const LISTED: Readonly<Partial<Record<ColumnName, number>>> = {
  args_kwargs: 8 * 1024,
  worker_ids: 32 * 1024,
  progress: 8 * 1024,
  options: 8 * 1024,
  // They count attempts, and have at most half of this if the library wrote them.
  attempt_errors: 128 * 1024,
  traceback: 32 * 1024,
  return_value: 0,
}
/** What is read in their place; NULL by default. */
const INSTEAD: Readonly<Partial<Record<ColumnName, string>>> = {
  args_kwargs: `'${JSON.stringify({ args: [NOT_READ], kwargs: {} })}'`,
  traceback: "''",
}

/** The rows of a backend, seen by a browser. */
export class Sight {
  readonly asking: Asking
  readonly path: string
  readonly words: BrowseWords
  readonly backendName: string
  readonly isOurs: boolean
  readonly hasTimedIds: boolean
  /** A column of text that compares exactly, whatever its collation. */
  readonly exactly: (column: string) => string
  /** The condition that row `t` is of the backend, as `:backend` names it. */
  readonly isBackend: string
  readonly table: Table
  readonly #resultOf: (row: RawRow) => TaskResult<unknown>
  readonly #whole: string
  readonly #listed: string
  readonly #told: string

  constructor({ asking, table, words, backendName, isOurs, ...more }: SightSettings) {
    this.asking = asking
    this.table = table
    this.path = table.path
    this.words = words
    this.backendName = backendName
    this.isOurs = isOurs
    this.hasTimedIds = more.hasTimedIds
    this.#resultOf = more.resultOf
    this.exactly = profileOf(table.type).exactly ?? ((column) => column)
    this.isBackend = `${this.exactly('t.backend_name')} = :backend`
    this.#whole = selectList(words.read)
    this.#listed = selectList((column) => listed(words, column))
    this.#told = selectList(
      words.read,
      COLUMNS.filter(({ name }) => name !== 'return_value'),
    )
  }

  /** An id as the column has it. */
  readonly keyOf = (id: string): string => (this.table.hexIds ? hexOf(id) : dashed(id))

  /** The least id of our own that is made at that instant. */
  idAt(ms: number): string {
    const hex = Math.min(Math.max(0, Math.floor(ms)), 2 ** 48 - 1)
      .toString(16)
      .padStart(12, '0')
    return this.keyOf(dashed(`${hex}7000${'8000'.padEnd(16, '0')}`))
  }

  /** The tasks with these ids as a list has them, in this order; without those that are gone. */
  async results(keys: readonly string[]): Promise<TaskResult<unknown>[]> {
    const found = await this.#byKeys<RawRow>(this.#listed, keys)
    return found.map(this.#resultOf)
  }

  /** All of one task; undefined: it is not there. */
  async result(key: string): Promise<TaskResult<unknown> | undefined> {
    const [found] = await this.#byKeys<RawRow>(this.#whole, [key])
    return found && this.#resultOf(found)
  }

  /** All that filters compare, of rows with these ids: no return values. For few of them, since it has large arguments. */
  told(keys: readonly string[]): Promise<ClaimedRaw[]> {
    return this.#byKeys<ClaimedRaw>(this.#told, keys)
  }

  async #byKeys<Row extends Pick<RawRow, 'row_key'>>(
    list: string,
    keys: readonly string[],
  ): Promise<Row[]> {
    const text = `SELECT ${list} FROM ${this.path} t WHERE id IN (:keys)`
    const found = new Map<string, Row>()
    for (let at = 0; at < keys.length; at += MOST) {
      const part = padded(keys.slice(at, at + MOST))
      for (const row of await this.asking.rows<Row>(text, { keys: part }))
        found.set(row.row_key, row)
    }
    return keys.flatMap((key) => found.get(key) ?? [])
  }
}

/** As many ids as one of the sizes: the last one again. */
export function padded(keys: readonly string[]): readonly string[] {
  const size = SIZES.find((each) => each >= keys.length) ?? keys.length
  const last = keys.at(-1)
  return last === undefined ? keys : [...keys, ...Array<string>(size - keys.length).fill(last)]
}

/** When an id of our own was made, in ms since 1970. */
export function madeAt(key: string): number {
  return Number.parseInt(dashed(key).replaceAll('-', '').slice(0, 12), 16)
}

/** How a list reads a column. */
function listed({ isSmall, read }: BrowseWords, column: TableColumn): string {
  const most = LISTED[column.name]
  const instead = INSTEAD[column.name] ?? 'NULL'
  if (most === undefined) return read(column)
  return most === 0
    ? instead
    : `CASE WHEN ${isSmall(`t.${column.name}`, most)} THEN ${read(column)} ELSE ${instead} END`
}
