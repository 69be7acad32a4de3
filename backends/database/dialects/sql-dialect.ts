import type { ErrorRecord } from '../../../lib/errors/error-record'
import type { Session } from '../connections/session'
import type { Answer, Values } from '../connections/statement'
import type { FinishRow, HeldRow, NewRows, RawRow, NoteRow } from '../row'
import {
  Dialect,
  type Finished,
  type InsertOptions,
  NONE,
  type Part,
  type Prunable,
  type QueueFilter,
  type Released,
  type RenewedRows,
} from './dialect'
import { type Batch, enqueuedAtByKey, heldOf, keyOf, keysOf, rowsOf } from './records'
import { heldIn, lockFree, type LockTexts } from './free-rows'
import { partCondition, queueValues } from './sql-text'

/** The texts of a dialect's statements. Parameters are named; batches travel as the dialect's `batch` says. */
export interface Statements {
  readonly insert: string
  /** As insert, for a single row whose values are parameters of their own. */
  readonly insertOne: string
  /** As insertOne, unless the unique key is taken. */
  readonly insertUnlessTaken: string
  readonly byId: string
  readonly byUniqueKey: string
  readonly freeKey: string
  readonly finish: string
  /** Which of the rows already hold their outcome. */
  readonly settled: string
  readonly renew: string
  readonly report: string
  readonly release: string
  readonly argumentsOf: string
  readonly expired: string
  /** `{part}` is where `partCondition` goes. */
  readonly furtherOn: string
  /** The condition for queues, for the places that are marked by `{queues}`. */
  readonly inQueues: (filter: QueueFilter) => string
  readonly prunable: string
  readonly countPrunable: string
  readonly deleteByIds: string
  readonly count: string
  readonly cancelReady: string
  readonly requestCancel: string
}

/**
 * The verbs by one statement each, where INSERT and UPDATE can return rows. A dialect overrides the verbs for which it
 * needs something else.
 */
export abstract class SqlDialect extends Dialect {
  protected readonly sql: Statements
  readonly #locks: LockTexts | null

  /** `locks`: null where a database has no locks of rows. */
  constructor(sql: Statements, locks: LockTexts | null) {
    super()
    this.sql = sql
    this.#locks = locks
  }

  /** The values of a batch, as the statements take it. */
  protected abstract batch(rows: Batch): Values
  readonly #batch = (rows: Batch): Values => this.batch(rows)

  async insert(
    session: Session,
    rows: NewRows,
    options: InsertOptions,
  ): Promise<(key: string) => string | undefined> {
    const { records } = await this.write(session, rows, options)
    if (options.unlessTaken) return enqueuedAtByKey(records, rows, options)
    const enqueuedAt = String(records[0]?.['enqueued_at'])
    return () => enqueuedAt
  }

  async byId(session: Session, id: string): Promise<RawRow | undefined> {
    return rowsOf(await session.query(this.sql.byId, { id }))[0]
  }

  async byUniqueKey(session: Session, uniqueKey: string): Promise<RawRow | undefined> {
    return rowsOf(await session.query(this.sql.byUniqueKey, { uniqueKey }))[0]
  }

  async freeKey(session: Session, { row_key: id, unique_key: uniqueKey }: RawRow): Promise<void> {
    await session.query(this.sql.freeKey, { id, uniqueKey })
  }

  async finish(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>> {
    const { affected } = await session.query(this.sql.finish, this.batch(rows))
    return this.kept(session, rows, affected)
  }

  async renew(
    session: Session,
    rows: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<ReadonlyMap<string, boolean>> {
    return heldOf(await session.query(this.sql.renew, { ...this.batch(rows), leaseSeconds }))
  }

  async report(session: Session, notes: readonly NoteRow[]): Promise<void> {
    await session.query(this.sql.report, this.batch(notes))
  }

  override async renewFree(
    session: Session,
    rows: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<RenewedRows> {
    const locks = this.#locks
    if (locks === null) return super.renewFree(session, rows, leaseSeconds)
    return session.transaction(async (inside) => {
      const { free, locked } = await lockFree(inside, locks, rows, this.#batch)
      const held = free.length === 0 ? new Map() : await this.renew(inside, free, leaseSeconds)
      return { held, locked }
    })
  }

  override async reportFree(
    session: Session,
    notes: readonly NoteRow[],
  ): Promise<ReadonlySet<string>> {
    const locks = this.#locks
    if (locks === null) return super.reportFree(session, notes)
    return session.transaction(async (inside) => {
      const { free, locked } = await lockFree(inside, locks, notes, this.#batch)
      if (free.length > 0) await this.report(inside, free)
      return locked
    })
  }

  override async finishFree(session: Session, rows: readonly FinishRow[]): Promise<Finished> {
    const locks = this.#locks
    if (locks === null) return super.finishFree(session, rows)
    return session.transaction(async (inside) => {
      const { free, locked } = await lockFree(inside, locks, rows, this.#batch)
      return { kept: free.length === 0 ? NONE : await this.finish(inside, free), locked }
    })
  }

  async release(
    session: Session,
    rows: readonly HeldRow[],
    delay: number | null = null,
  ): Promise<Released> {
    const locks = this.#locks
    const release = async (on: Session, free: readonly HeldRow[]): Promise<number> =>
      free.length === 0
        ? 0
        : (await on.query(this.sql.release, { ...this.batch(free), delay })).affected
    if (locks === null) return { released: await release(session, rows), locked: NONE }
    return session.transaction(async (inside) => {
      const { free, locked } = await lockFree(inside, locks, rows, this.#batch)
      return { released: await release(inside, free), locked }
    })
  }

  async takeOver(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>> {
    const { expired = '' } = this.#locks ?? {}
    return session.transaction(async (inside) => {
      const ended = keysOf(await inside.query(expired, this.batch(heldIn(rows))))
      const ours = rows.filter((row) => ended.has(row.row_key))
      return ours.length > 0 ? this.finish(inside, ours) : ended
    })
  }

  async argumentsOf(
    session: Session,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const values = this.batch(keys.map((row_key) => ({ row_key })))
    const { records } = await session.query(this.sql.argumentsOf, values)
    return new Map(records.map((record) => [keyOf(record), String(record['args_kwargs'])]))
  }

  async expired(session: Session, backendName: string, limit: number): Promise<RawRow[]> {
    return rowsOf(await session.query(this.sql.expired, { backendName, limit }))
  }

  async furtherOn(session: Session, after: string | null, rows: number): Promise<string | null> {
    const text = this.sql.furtherOn.replace('{part}', partCondition({ after, upTo: null }))
    const { records } = await session.query(text, { after, skipped: rows - 1 })
    return records[0] ? keyOf(records[0]) : null
  }

  async prunable(session: Session, query: Prunable, part: Part, limit: number): Promise<string[]> {
    const text = this.sql.prunable.replace('{part}', partCondition(part))
    const values = { ...agesOf(query), ...part, limit }
    return (await this.#inQueues(session, text, queuesOf(query), values)).records.map(keyOf)
  }

  async countPrunable(session: Session, query: Prunable): Promise<number> {
    const text = this.sql.countPrunable
    const { records } = await this.#inQueues(session, text, queuesOf(query), agesOf(query))
    return Number(records[0]?.['n'])
  }

  async deleteFinished(session: Session, keys: readonly string[]): Promise<number> {
    const batch = this.batch(keys.map((row_key) => ({ row_key })))
    return (await session.query(this.sql.deleteByIds, batch)).affected
  }

  async count(
    session: Session,
    backendName: string,
    filter: QueueFilter,
  ): Promise<Readonly<Record<string, number>>> {
    const { records } = await this.#inQueues(session, this.sql.count, filter, { backendName })
    return Object.fromEntries(
      records.map((record) => [String(record['status']), Number(record['n'])]),
    )
  }

  async cancelReady(session: Session, id: string, error: ErrorRecord): Promise<number> {
    const { exceptionClassPath, traceback } = error
    return (await session.query(this.sql.cancelReady, { id, exceptionClassPath, traceback }))
      .affected
  }

  async requestCancel(session: Session, id: string, _notify: boolean): Promise<number> {
    return (await session.query(this.sql.requestCancel, { id })).affected
  }

  /** Runs the INSERT. A single row is not worth a batch. */
  protected write(session: Session, rows: NewRows, options: InsertOptions): Promise<Answer> {
    const { shared, calls } = rows
    const isSingle = calls.length === 1
    return session.query(this.insertText(isSingle, options), {
      ...shared,
      ...(isSingle ? calls[0] : this.batch(calls)),
    })
  }

  protected insertText(isSingle: boolean, { unlessTaken }: InsertOptions): string {
    if (unlessTaken) return this.sql.insertUnlessTaken
    return isSingle ? this.sql.insertOne : this.sql.insert
  }

  /** The keys of the rows that hold their outcome, of which `changed` were just written. If some were not, a query finds those that hold it already. */
  protected async kept(
    session: Session,
    rows: Batch,
    changed: number,
  ): Promise<ReadonlySet<string>> {
    if (changed === rows.length) return new Set(rows.map((row) => row.row_key))
    return keysOf(await session.query(this.sql.settled, this.batch(rows)))
  }

  #inQueues(session: Session, text: string, filter: QueueFilter, values: Values): Promise<Answer> {
    return session.query(
      text.replace('{queues}', () => this.sql.inQueues(filter)),
      { ...values, ...queueValues(filter) },
    )
  }
}

function queuesOf({ queues }: Prunable): QueueFilter {
  return { queues, excludeQueues: [] }
}

function agesOf({ backendName, minAge, failedMinAge }: Prunable): Values {
  return { backendName, minAge, failedMinAge }
}
