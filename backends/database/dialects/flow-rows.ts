import { textOr } from '../../../entities/formats'
import { type ErrorRecord, PREVIOUS_FAILED } from '../../../lib/errors/error-record'
import type { Session } from '../connections/session'
import type { Values } from '../connections/statement'

import type { AfterRow, Asked, FlowRows, KeyRange, MemberRow, ParkedRow } from './flow-verbs'
import { rowsOf } from './plain-rows'
import { type Batch, keyOf, keysOf } from './records'

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
}
/** How many ranges one statement looks at: few texts, so that each can be prepared. */
const SIZES = [1, 4, 16, 64]
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
  readonly #texts = new Map<string, string>()

  constructor(path: string, words: FlowWords, session: Session) {
    this.#path = path
    this.#words = words
    this.#session = session
  }

  async first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const { part, size } of inSizes(ranges)) {
      const { records } = await this.#session.query(
        this.#firstText(size, asked),
        valuesOf(part, size),
      )
      for (const { n, found: key } of records) {
        const range = part[Number(n)]
        if (range && typeof key === 'string') found.set(range.set, key)
      }
    }
    return found
  }

  async members(range: KeyRange, limit: number): Promise<readonly MemberRow[]> {
    const text = `${this.#select()} WHERE ${between('')} AND ${this.#isExact('')} ORDER BY m.unique_key LIMIT :limit`
    return rowsOf<MemberRow>(
      await this.#session.query(text, { ...valuesOf([range], 1, ''), limit }),
    )
  }

  async firstMembers(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberRow[]>> {
    const found = new Map<string, MemberRow[]>(sets.map(({ set }) => [set, []]))
    for (const { part, size } of inSizes(sets)) {
      const answer = await this.#session.query(this.#membersText(size), {
        ...valuesOf(part, size),
        limit,
      })
      for (const row of rowsOf<MemberRow & { readonly n: unknown }>(answer))
        found.get(part[Number(row.n)]?.set ?? '')?.push(row)
    }
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

  async fail(key: string, error: ErrorRecord): Promise<boolean> {
    const { now, byKeys } = this.#words
    const text = `UPDATE ${this.#words.updated ?? this.#path} SET status = 'FAILED', finished_at = ${now}, exception_class_path = :exceptionClassPath, traceback = :traceback
      WHERE ${byKeys} AND ${this.#isWaiting()}`
    return (await this.#session.query(text, { ...this.#batch([key]), ...error })).affected > 0
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
    const next = `SELECT max(priority) AS priority FROM ${this.#path} WHERE status = 'READY' AND priority < :below`
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

  /** `value`: how the return value is read, of its text. */
  #select(value = (text: string) => `${text} AS return_value`): string {
    const { id, asText } = this.#words
    return `SELECT ${id} AS row_key, m.unique_key AS unique_key, m.status AS status, m.task_path AS task_path, ${value(asText('m.return_value'))},
        m.exception_class_path AS exception_class_path, m.traceback AS traceback FROM ${this.#path} m`
  }

  async #options(keys: readonly string[], condition: string): Promise<Map<string, string>> {
    const { id, asText, byKeys } = this.#words
    const text = `SELECT ${id} AS row_key, ${asText('m.options')} AS options FROM ${this.#path} m WHERE ${byKeys}${condition}`
    const { records } = await this.#session.query(text, this.#batch(keys))
    return new Map(records.map((record) => [keyOf(record), optionsText(record['options'])]))
  }

  #isWaiting(): string {
    return `status = 'READY' AND run_after = ${this.#words.parked}`
  }

  get #exactKey(): string {
    return this.#words.exactKey ?? 'm.unique_key'
  }

  /** It stands beside the range, which a collation may take for a larger one. */
  #isExact(n: string): string {
    return `${this.#exactKey} LIKE :like${n}`
  }

  #batch(keys: readonly string[]): Values {
    return this.#words.batch(keys.map((key) => ({ row_key: key })))
  }

  #membersText(size: number): string {
    return this.#union(
      'members',
      size,
      (n) =>
        `SELECT ${n} AS n, page.* FROM (${this.#select(unlessLarge)} WHERE ${between(String(n))} AND ${this.#isExact(String(n))} ORDER BY m.unique_key LIMIT :limit) page`,
    )
  }

  #firstText(size: number, asked: Asked): string {
    const { opaque = String } = this.#words
    return this.#union(
      asked,
      size,
      (n) => `SELECT ${n} AS n, (SELECT m.unique_key FROM ${this.#path} m
      WHERE ${between(String(n))} AND ${opaque(`${this.#isExact(String(n))} AND ${CONDITIONS[asked]}`)} ORDER BY m.unique_key LIMIT 1) AS found`,
    )
  }

  /** A statement that looks at so many ranges; its text is kept. */
  #union(what: string, size: number, look: (n: number) => string): string {
    const name = `${what} ${size}`
    const known = this.#texts.get(name)
    if (known !== undefined) return known
    const text = Array.from({ length: size }, (_, n) => look(n)).join(' UNION ALL ')
    this.#texts.set(name, text)
    return text
  }
}

/** In parts of the sizes that there are statements for. */
function* inSizes(
  ranges: readonly KeyRange[],
): Generator<{ readonly part: readonly KeyRange[]; readonly size: number }> {
  const most = SIZES.at(-1) ?? 1
  for (let i = 0; i < ranges.length; i += most) {
    const part = ranges.slice(i, i + most)
    yield { part, size: SIZES.find((each) => each >= part.length) ?? most }
  }
}

function unlessLarge(text: string): string {
  const isLarge = `length(${text}) > ${LARGE}`
  return `CASE WHEN ${isLarge} THEN NULL ELSE ${text} END AS return_value, CASE WHEN ${isLarge} THEN 1 ELSE 0 END AS is_large`
}

/** Some drivers parse JSON, whatever type a column is read as. */
function optionsText(value: unknown): string {
  const text = textOr(value)
  return typeof text === 'string' ? text : JSON.stringify(text ?? {})
}

function between(n: string): string {
  return `m.unique_key >= :from${n} AND m.unique_key <= :upTo${n}`
}

/** The last range is repeated, where there are fewer. */
function valuesOf(ranges: readonly KeyRange[], size: number, name?: string): Values {
  const values: Record<string, string> = {}
  for (let n = 0; n < size; n++) {
    const range = ranges[Math.min(n, ranges.length - 1)]
    const suffix = name ?? String(n)
    values[`from${suffix}`] = range?.from ?? ''
    values[`upTo${suffix}`] = range?.upTo ?? ''
    values[`like${suffix}`] = `g${range?.set ?? ''}%`
  }
  return values
}
