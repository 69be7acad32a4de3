import { textOr } from '../../../entities/formats'
import { type ErrorRecord, PREVIOUS_FAILED } from '../../../lib/errors/error-record'
import type { Session } from '../connections/session'
import type { Values } from '../connections/statement'
import { ORDINAL_AT, wholeOptions } from '../../keys'
import type { RawRow } from '../row'
import {
  type Bounds,
  BOUNDS,
  firstOf,
  RangeLooks,
  type RangeTable,
  type Sought,
  valuesOf,
} from './flow-ranges'
import type {
  AfterRow,
  Asked,
  Found,
  FlowRows,
  KeyRange,
  MemberRow,
  ParkedRow,
  MemberValue,
} from './flow-verbs'
import { rowsOf } from './plain-rows'
import { type Batch, keysOf } from './records'

/** How a dialect says what statements of flows have in common. */
export interface FlowWords {
  readonly now: string
  /** `run_after` of a waiting row. */
  readonly parked: string
  /** The condition that row `m` is of the backend. */
  readonly isBackend: string
  /** The table in an UPDATE by keys, where that is not its path alone. */
  readonly updated?: string
  /** The condition that a row has one of the keys of a batch. */
  readonly byKeys: string
  /** `m.unique_key` in a collation for which capitals matter, where that of the column may be one for which LIKE knows none. */
  readonly exactKey?: string
  /** A condition that the planner cannot see through, where it would go by statistics that it does not have. */
  readonly opaque?: (condition: string) => string
  readonly ranges?: RangeTable
  readonly id: string
  readonly asText: (column: string) => string
  readonly instantText: (column: string) => string
  /** An instant of a parameter that holds its text. */
  readonly instant: (parameter: string) => string
  readonly batch: (batch: Batch) => Values
}

const CONDITIONS: Readonly<Record<Asked, string>> = {
  open: "m.status IN ('READY', 'RUNNING')",
  failed: "m.status = 'FAILED'",
  unsuccessful: "m.status <> 'SUCCESSFUL'",
}
/** Characters up to which values are read for many sets at once. */
const LARGE = 4_000
/** Above any priority, even one that was never checked. */
const ABOVE_ALL = 2 ** 31 - 1
/** Before all rows of a priority. */
const EARLIEST = {
  enqueued_at: '1000-01-01 00:00:00',
  row_key: '00000000-0000-0000-0000-000000000000',
}

/** The verbs by statements, the same for all databases but for a few words. */
export class SqlFlowRows implements FlowRows {
  readonly #path: string
  readonly #words: FlowWords
  readonly #session: Session
  readonly #looks: RangeLooks

  constructor(path: string, words: FlowWords, session: Session) {
    this.#path = path
    this.#words = words
    this.#session = session
    this.#looks = new RangeLooks(path, words.ranges)
  }

  async first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, Found>> {
    const { opaque = String } = this.#words
    const found = new Map<string, Found>()
    const sought: Sought = {
      what: asked,
      columns: 'm.unique_key AS found, m.status AS status',
      where: (bounds) =>
        `${between(bounds)} AND ${opaque(`${this.#isExact(bounds)} AND ${CONDITIONS[asked]}`)}`,
      limit: 1,
    }
    for (const { text, values, part } of this.#looks.of(sought, ranges))
      for (const { n, found: key, status } of (await this.#session.query(text, values)).records) {
        const range = part[Number(n)]
        if (range && typeof key === 'string') found.set(range.set, { key, status: String(status) })
      }
    return found
  }

  async members(range: KeyRange, limit: number): Promise<readonly MemberRow[]> {
    const text = `${this.#select()} ${firstOf(this.#page, BOUNDS)}`
    return rowsOf<MemberRow>(await this.#session.query(text, { ...valuesOf(range), limit }))
  }

  /**
   * Little of each member, since there are many. MariaDB makes a table on disk of a range in a FROM that has columns of any
   * length (measured with 64 sets: 77 ms instead of 2).
   */
  async firstValues(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberValue[]>> {
    const found = new Map<string, MemberValue[]>(sets.map(({ set }) => [set, []]))
    const text = this.#words.asText('m.return_value')
    const value = `CASE WHEN m.status <> 'SUCCESSFUL' OR length(${text}) > ${LARGE} THEN '' ELSE coalesce(${text}, 'null') END`
    const columns = `substr(m.unique_key, ${ORDINAL_AT + 1}) AS place, ${value} AS value`
    const sought = { what: 'values', columns, ...this.#page }
    for (const { text: look, values, part } of this.#looks.of(sought, sets)) {
      const { records } = await this.#session.query(look, { ...values, limit })
      for (const { n, place, value: json } of records)
        found.get(part[Number(n)]?.set ?? '')?.push({ place: String(place), value: String(json) })
    }
    for (const members of found.values()) members.sort(byPlace)
    return found
  }

  async row(key: string): Promise<MemberRow | undefined> {
    const text = `${this.#select()} WHERE ${this.#words.byKeys}`
    return rowsOf<MemberRow>(await this.#session.query(text, this.#batch([key])))[0]
  }

  async unpark(keys: readonly string[]): Promise<number> {
    const { now, parked, byKeys } = this.#words
    const text = `UPDATE ${this.#words.updated ?? this.#path} SET run_after = ${now}, status = 'READY', finished_at = NULL, exception_class_path = '', traceback = ''
      WHERE ${byKeys} AND ((status = 'READY' AND run_after = ${parked}) OR (status = 'FAILED' AND exception_class_path = '${PREVIOUS_FAILED}'))`
    return (await this.#session.query(text, this.#batch(keys))).affected
  }

  async fail(key: string, error: ErrorRecord): Promise<void> {
    const { now, byKeys } = this.#words
    const text = `UPDATE ${this.#words.updated ?? this.#path} SET status = 'FAILED', finished_at = ${now}, exception_class_path = :exceptionClassPath, traceback = :traceback
      WHERE ${byKeys} AND ${this.#isWaiting()}`
    await this.#session.query(text, { ...this.#batch([key]), ...error })
  }

  async drop(keys: readonly string[]): Promise<void> {
    const text = `DELETE FROM ${this.#path} WHERE ${this.#words.byKeys} AND ${this.#isWaiting()}`
    await this.#session.query(text, this.#batch(keys))
  }

  async options(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#options(keys, '')
  }

  async memberOptions(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#options(keys, ` AND ${this.#exactKey} LIKE 'g%'`)
  }

  async unfinished(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const { id, byKeys } = this.#words
    const text = `SELECT ${id} AS row_key FROM ${this.#path} m WHERE ${byKeys} AND ${CONDITIONS.open}`
    return keysOf(await this.#session.query(text, this.#batch(keys)))
  }

  /** From priority to priority, since that comes first in the index: else all that is READY would be read. */
  async waiting(
    backendName: string,
    after: AfterRow,
    limit: number,
  ): Promise<readonly ParkedRow[]> {
    const { id, asText, instant, instantText, isBackend, parked } = this.#words
    const next = `SELECT max(m.priority) AS priority FROM ${this.#path} m WHERE m.status = 'READY' AND m.priority < :below`
    const text = `SELECT ${id} AS row_key, ${asText('m.options')} AS options, ${instantText('m.enqueued_at')} AS enqueued_at FROM ${this.#path} m
      WHERE m.status = 'READY' AND m.priority = :priority AND m.run_after = ${parked} AND ${isBackend}
        AND (m.enqueued_at > ${instant(':after')} OR (m.enqueued_at = ${instant(':after')} AND m.id > :afterId)) ORDER BY m.enqueued_at, m.id LIMIT :limit`
    const found: ParkedRow[] = []
    const add = async (
      priority: number,
      { enqueued_at, row_key }: Omit<NonNullable<AfterRow>, 'priority'>,
    ): Promise<void> => {
      const values = { priority, after: enqueued_at, afterId: row_key, backendName }
      const answer = await this.#session.query(text, { ...values, limit: limit - found.length })
      for (const row of rowsOf<ParkedRow>(answer)) found.push({ ...row, priority })
    }
    if (after) await add(after.priority, after)
    for (let below = after?.priority ?? ABOVE_ALL; found.length < limit;) {
      const { records } = await this.#session.query(next, { below })
      const priority = records[0]?.['priority'] as number | string | null | undefined
      if (priority === null || priority === undefined) break
      below = Number(priority)
      await add(below, EARLIEST)
    }
    return found
  }

  #select(): string {
    const { id, asText } = this.#words
    return `SELECT ${id} AS row_key, m.unique_key AS unique_key, m.status AS status, m.task_path AS task_path, ${asText('m.return_value')} AS return_value,
        m.exception_class_path AS exception_class_path, m.traceback AS traceback FROM ${this.#path} m`
  }

  async #options(keys: readonly string[], condition: string): Promise<Map<string, string>> {
    const { id, asText, byKeys } = this.#words
    const text = `SELECT ${id} AS row_key, ${asText('m.options')} AS options, m.unique_key AS unique_key FROM ${this.#path} m WHERE ${byKeys}${condition}`
    const rows = rowsOf<Pick<RawRow, 'row_key' | 'options' | 'unique_key'>>(
      await this.#session.query(text, this.#batch(keys)),
    )
    return new Map(
      rows.map(({ row_key: key, options, unique_key }) => [
        key,
        wholeOptions(optionsText(options), unique_key) ?? '{}',
      ]),
    )
  }

  #isWaiting(): string {
    return `status = 'READY' AND run_after = ${this.#words.parked}`
  }

  get #exactKey(): string {
    return this.#words.exactKey ?? 'm.unique_key'
  }

  /** It stands beside the range, which a collation may take for a larger one. */
  #isExact({ like }: Bounds): string {
    return `${this.#exactKey} LIKE ${like}`
  }

  /** The first members of a range. */
  get #page(): Pick<Sought, 'where' | 'limit'> {
    return {
      where: (bounds) => `${between(bounds)} AND ${this.#isExact(bounds)}`,
      limit: ':limit',
    }
  }

  #batch(keys: readonly string[]): Values {
    return this.#words.batch(keys.map((key) => ({ row_key: key })))
  }
}

/** A UNION promises no order. */
function byPlace({ place: one }: MemberValue, { place: other }: MemberValue): number {
  return one < other ? -1 : 1
}

/** Some drivers parse JSON, whatever type a column is read as. */
function optionsText(value: unknown): string | null {
  const text = textOr(value) ?? null
  return text === null || typeof text === 'string' ? text : JSON.stringify(text)
}

function between({ from, upTo }: Bounds): string {
  return `m.unique_key >= ${from} AND m.unique_key <= ${upTo}`
}
