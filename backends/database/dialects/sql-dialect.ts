import { anyInstantOf } from '../../../entities/formats'
import type { UserKey } from '../../../lib/order'
import type { ErrorRecord } from '../../../lib/errors/error-record'
import type { Session } from '../connections/session'
import type { Answer, Values } from '../connections/statement'
import type { NewRows } from '../new-row'
import type { FinishRow, HeldRow, RawRow, NoteRow } from '../row'
import {
  type ClaimOwner,
  Dialect,
  type Finished,
  type InsertOptions,
  NONE,
  type Part,
  type Postponement,
  type Prunable,
  type Released,
  type RenewedRows,
} from './dialect'
import { rowsOf } from './plain-rows'
import { type Batch, enqueuedAtByKey, heldOf, keyOf, keysOf } from './records'
import { heldIn, lockFree, type LockTexts } from './free-rows'
import { ageValues, withAges } from './prunable'
import { partCondition, queueValues } from './sql-text'
import type { InsertTexts, Statements } from './statements'

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

  override async now(session: Session): Promise<Date> {
    const { records } = await session.query(this.sql.now)
    return anyInstantOf(records[0]?.['now']) ?? new Date()
  }

  async byId(session: Session, id: string): Promise<RawRow | undefined> {
    return rowsOf(await session.query(this.sql.byId, { id }))[0]
  }

  async byUniqueKey(session: Session, uniqueKey: string): Promise<RawRow | undefined> {
    return rowsOf(await session.query(this.sql.byUniqueKey, { uniqueKey }))[0]
  }

  async freeKey(
    session: Session,
    { row_key: id, unique_key: uniqueKey }: RawRow,
    key: UserKey,
  ): Promise<boolean> {
    const every = key.kind === 'throttle' ? key.every : null
    const { affected } = await session.query(this.sql.freeKey[key.kind], { id, uniqueKey, every })
    return affected > 0
  }

  async postpone(
    session: Session,
    { row_key: id, unique_key: uniqueKey }: RawRow,
    change: Postponement,
  ): Promise<boolean> {
    const { affected } = await session.query(this.sql.postpone, { id, uniqueKey, ...change })
    return affected > 0
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
    const renew = (on: Session, free: readonly HeldRow[]) => this.renew(on, free, leaseSeconds)
    const { done: held, locked } = await this.#onFree(session, rows, renew, new Map())
    return { held, locked }
  }

  override async reportFree(
    session: Session,
    notes: readonly NoteRow[],
  ): Promise<ReadonlySet<string>> {
    const report = (on: Session, free: readonly NoteRow[]) => this.report(on, free)
    return (await this.#onFree(session, notes, report, undefined)).locked
  }

  override async finishFree(session: Session, rows: readonly FinishRow[]): Promise<Finished> {
    const finish = (on: Session, free: readonly FinishRow[]) => this.finish(on, free)
    const { done: kept, locked } = await this.#onFree(session, rows, finish, NONE)
    return { kept, locked }
  }

  async release(
    session: Session,
    rows: readonly HeldRow[],
    delay: number | null = null,
  ): Promise<Released> {
    const release = async (on: Session, free: readonly HeldRow[]): Promise<number> =>
      (await on.query(this.sql.release, { ...this.batch(free), delay })).affected
    const { done: released, locked } = await this.#onFree(session, rows, release, 0)
    return { released, locked }
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

  async runningOf(session: Session, owner: ClaimOwner, limit: number): Promise<HeldRow[]> {
    const { records } = await session.query(this.sql.runningOf, { ...owner, limit })
    return records.map((record) => ({ row_key: keyOf(record), claims: Number(record['claims']) }))
  }

  async furtherOn(session: Session, after: string | null, rows: number): Promise<string | null> {
    const text = this.sql.furtherOn.replace('{part}', partCondition({ after, upTo: null }))
    const { records } = await session.query(text, { after, skipped: rows - 1 })
    return records[0] ? keyOf(records[0]) : null
  }

  async prunable(session: Session, query: Prunable, part: Part, limit: number): Promise<string[]> {
    const text = this.sql.prunable.replace('{part}', partCondition(part))
    return (await this.#prunable(session, text, query, { ...part, limit })).records.map(keyOf)
  }

  async countPrunable(session: Session, query: Prunable): Promise<number> {
    const { records } = await this.#prunable(session, this.sql.countPrunable, query, {})
    return Number(records[0]?.['n'])
  }

  async deleteFinished(session: Session, keys: readonly string[]): Promise<number> {
    const batch = this.batch(keys.map((row_key) => ({ row_key })))
    return (await session.query(this.sql.deleteByIds, batch)).affected
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
    return session.query(this.insertTexts(options)[formOf(rows, options)], {
      ...shared,
      delay: options.delay,
      ...(calls.length === 1 ? calls[0] : this.batch(calls)),
    })
  }

  protected insertTexts(_options: InsertOptions): InsertTexts {
    return this.sql
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

  /** Does `work` to those of the rows that nobody else has locked; `none`: its answer where there are none. */
  async #onFree<Row extends HeldRow, Done>(
    session: Session,
    rows: readonly Row[],
    work: (on: Session, free: readonly Row[]) => Promise<Done>,
    none: Done,
  ): Promise<{ done: Done; locked: ReadonlySet<string> }> {
    const locks = this.#locks
    if (locks === null) return { done: await work(session, rows), locked: NONE }
    return session.transaction(async (inside) => {
      const { free, locked } = await lockFree(inside, locks, rows, (batch) => this.batch(batch))
      return { done: free.length === 0 ? none : await work(inside, free), locked }
    })
  }

  #prunable(session: Session, text: string, query: Prunable, values: Values): Promise<Answer> {
    const filter = { queues: query.queues, excludeQueues: [] }
    const aged = withAges(text, query.groups, this.sql.isTask)
    return session.query(
      aged.replace('{queues}', () => this.sql.inQueues(filter)),
      { ...ageValues(query), ...values, ...queueValues(filter) },
    )
  }
}

function formOf({ calls }: NewRows, { unlessTaken }: InsertOptions): keyof InsertTexts {
  if (unlessTaken) return 'insertUnlessTaken'
  if (calls.length === 1) return 'insertOne'
  return calls[0]?.unique_key === undefined ? 'insert' : 'insertKeyed'
}
