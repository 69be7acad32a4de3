import { patiently, type Session, unlessLocked } from '../../connections/session'
import type { Values } from '../../connections/statement'
import { channelOf } from '../../wakeups/notify'
import { type Names, postgresNames } from '../names'
import type { ClaimedRaw, FinishRow } from '../../row'
import type { Table } from '../../table'
import type { Claim, Exchanged, InsertOptions, QueueFilter } from '../dialect'
import type { Batch } from '../records'
import { rowsOf, SqlDialect } from '../sql-dialect'
import type { Statements } from '../statements'
import { freeKeyOf, queueValues } from '../sql-text'
import { type ClaimTexts, claimTexts } from './claim'
import { EXPIRED, ROW, rows, soonRows, USUAL } from './columns'
import { FENCE, finishOf, locksOf, settledOf } from './finish'
import { insertBatch, insertOne, insertUnlessTaken } from './insert'

/**
 * From this many outcomes and rows to claim on, two connections at a time are faster than one statement that does both
 * (measured: 25,000 to 34,000 tasks a second instead of 20,000 to 27,000).
 */
const SIDE_BY_SIDE_FROM = 100

const HELD = rows('row_key', 'claims')

interface ClaimStatements {
  readonly text: ClaimTexts
  readonly queues: Values
}

/** PostgreSQL 13 and later; CockroachDB and YugabyteDB by the same statements. */
export class Postgres extends SqlDialect {
  readonly name = 'postgres'
  readonly maxStatement = 16 * 1024 * 1024
  /** The INSERTs that also notify workers: for a single row, for many, and for a row whose unique key may be taken. */
  readonly #notifyingInserts: Readonly<Record<'single' | 'batch' | 'unlessTaken', string>>
  readonly #notifyingCancel: string
  readonly #names: Names
  readonly #finishSoon: string
  readonly #soonRows: typeof rows
  readonly #path: string
  /** By the filter itself, which a worker keeps: its statements are made once. */
  readonly #claims = new WeakMap<QueueFilter, ClaimStatements>()

  constructor(table: Table) {
    const { path } = table
    super(statements(table), locksOf(path))
    const notify =
      table.type === 'postgres' ? `, pg_notify('${channelIn(table)}', 'ready ' || :queue_name)` : ''
    this.#notifyingInserts = {
      single: insertOne(path, notify),
      batch: insertBatch(path, notify),
      unlessTaken: insertUnlessTaken(path, notify),
    }
    this.#notifyingCancel = notifyingCancelOf(table)
    this.#names = postgresNames(table.type)
    this.#soonRows = soonRowsOn(table)
    this.#finishSoon = finishOf(path, this.#soonRows)
    this.#path = path
  }

  /** Few rows with one commit; many on two connections at a time: while one commits, the other goes on. */
  override async exchange(
    session: Session,
    outcomes: readonly FinishRow[],
    claim: Claim,
  ): Promise<Exchanged> {
    if (claim.limit === 0) return super.exchange(session, outcomes, claim)
    if (outcomes.length === 0) {
      const claimed = await patiently(() => this.claim(session, claim))
      return { kept: new Set(), claimed }
    }
    const rowsOfBoth = Math.min(outcomes.length, claim.limit)
    return rowsOfBoth >= SIDE_BY_SIDE_FROM
      ? this.#sideBySide(session, outcomes, claim)
      : unlessLocked(() => this.finishAndClaim(session, outcomes, claim))
  }

  async claim(session: Session, claim: Claim): Promise<ClaimedRaw[]> {
    const { text, values } = this.#claimOf(claim)
    return rowsOf(await session.query(text.claim, values))
  }

  /** Within a transaction, which may be the app's own, it waits for locked rows as long as the database does. */
  override async finish(
    session: Session,
    outcomes: readonly FinishRow[],
  ): Promise<ReadonlySet<string>> {
    const text = session.isInTransaction ? this.sql.finish : this.#finishSoon
    const { affected } = await session.query(text, this.batch(outcomes))
    return this.kept(session, outcomes, affected)
  }

  /** Stores outcomes and claims, in one statement. */
  protected async finishAndClaim(
    session: Session,
    outcomes: readonly FinishRow[],
    claim: Claim,
  ): Promise<Exchanged> {
    const { text, values } = this.#claimOf(claim)
    const answer = await session.query(text.finishAndClaim, { ...values, ...this.batch(outcomes) })
    const done = Number(answer.records[0]?.['done'] ?? 0)
    return {
      kept: await this.kept(session, outcomes, done),
      claimed: rowsOf<ClaimedRaw>(answer).filter((row) => row.row_key !== null),
    }
  }

  override async requestCancel(session: Session, id: string, notify: boolean): Promise<number> {
    if (!notify) return super.requestCancel(session, id, notify)
    return (await session.query(this.#notifyingCancel, { id })).affected
  }

  /** One array for each column, as `rows` reads them. */
  protected batch(batch: Batch): Values {
    const values: Record<string, Values[string]> = {}
    for (const name of Object.keys(batch[0] ?? {}) as 'row_key'[]) {
      const usual = (USUAL as Readonly<Record<string, string>>)[name] ?? null
      values[name] = batch.every((row) => row[name] === usual)
        ? null
        : columnOf(
            name,
            batch.map((row) => row[name]),
          )
    }
    return values
  }

  protected override insertText(isSingle: boolean, options: InsertOptions): string {
    if (!options.notify) return super.insertText(isSingle, options)
    const { single, batch, unlessTaken } = this.#notifyingInserts
    if (options.unlessTaken) return unlessTaken
    return isSingle ? single : batch
  }

  #claimOf({ limit, filter, workerId, backendName, leaseSeconds }: Claim): {
    text: ClaimTexts
    values: Values
  } {
    let made = this.#claims.get(filter)
    if (!made) {
      made = {
        text: claimTexts(this.#path, filter, this.#names, this.#soonRows),
        queues: queueValues(filter),
      }
      this.#claims.set(filter, made)
    }
    const { text, queues } = made
    return { text, values: { limit, backendName, leaseSeconds, worker: workerId, ...queues } }
  }

  async #sideBySide(
    session: Session,
    outcomes: readonly FinishRow[],
    claim: Claim,
  ): Promise<Exchanged> {
    const [finished, claimed] = await Promise.allSettled([
      unlessLocked(() => this.finish(session, outcomes)),
      patiently(() => this.claim(session, claim)),
    ])
    if (claimed.status === 'fulfilled')
      return finished.status === 'fulfilled'
        ? { kept: finished.value, claimed: claimed.value }
        : { kept: null, claimed: claimed.value, failure: finished.reason }
    if (finished.status === 'rejected') throw finished.reason
    return { kept: finished.value, claimed: null, failure: claimed.reason }
  }
}

const JSON_COLUMNS: ReadonlySet<string> = new Set([
  'return_value',
  'attempt_errors',
  'progress',
  'args_kwargs',
])
/** From this size on, in characters, a column of JSON is escaped here. */
const LARGE = 16 * 1024
/** Control characters are no part of JSON that was written without indentation. */
// oxlint-disable-next-line no-control-regex -- it is about them
const CONTROL = /[\0-\x1f]/

/**
 * The driver escapes by regular expressions, which blocks the process (measured: 300 ms for one text of 500,000 quotes, 15 s
 * for twenty; like this 9 and 370). An array's text escapes quotes and backslashes as JSON does.
 */
function columnOf(name: string, texts: readonly (string | number | null)[]): Values[string] {
  if (!JSON_COLUMNS.has(name)) return { column: texts }
  let size = 0
  for (const text of texts) size += typeof text === 'string' ? text.length : 0
  if (size < LARGE || texts.some((text) => CONTROL.test(String(text)))) return { column: texts }
  return `{${texts.map((text) => (text === null ? 'NULL' : JSON.stringify(text))).join(',')}}`
}

/** CockroachDB and YugabyteDB by another type have no such setting within a statement. */
function soonRowsOn({ type }: Table): typeof rows {
  return type === 'postgres' ? soonRows : rows
}

function statements(table: Table): Statements {
  const { path } = table
  const names = postgresNames(table.type)
  const soon = soonRowsOn(table)
  return {
    insert: insertBatch(path),
    insertOne: insertOne(path),
    insertUnlessTaken: insertUnlessTaken(path),
    byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id::uuid`,
    byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
    freeKey: freeKeyOf(path),
    finish: finishOf(path),
    settled: settledOf(path),
    renew: `UPDATE ${path} t SET lease_until = statement_timestamp() + :leaseSeconds::double precision * INTERVAL '1 second' FROM ${soon('row_key', 'claims')}
      WHERE ${FENCE} RETURNING t.id::text AS row_key, (t.cancel_requested_at IS NOT NULL)::int AS cancelled`,
    report: `UPDATE ${path} t SET progress = v.progress::jsonb FROM ${soon('row_key', 'claims', 'progress')} WHERE ${FENCE}`,
    release: `UPDATE ${path} t SET status = 'READY', lease_until = NULL, worker_ids = t.worker_ids - -1,
        started_at = CASE WHEN jsonb_array_length(t.worker_ids) > 1 THEN t.started_at END,
        run_after = coalesce(statement_timestamp() + :delay::double precision * INTERVAL '1 millisecond', t.run_after)
      FROM ${HELD} WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
    argumentsOf: `SELECT t.id::text AS row_key, t.args_kwargs::text AS args_kwargs FROM ${path} t WHERE t.id = ANY((SELECT :row_key::uuid[])::uuid[])`,
    expired: `SELECT ${EXPIRED} FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until < statement_timestamp() AND t.${names.isBackend} LIMIT :limit`,
    runningOf: `SELECT t.id::text AS row_key, t.claims FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until IS NOT NULL AND t.${names.isBackend}
      AND t.worker_ids ->> -1 = :workerId LIMIT :limit`,
    furtherOn: `SELECT t.id::text AS row_key FROM ${path} t WHERE true {part} ORDER BY t.id LIMIT 1 OFFSET :skipped`,
    inQueues: names.inQueues,
    prunable: `SELECT t.id::text AS row_key FROM ${path} t WHERE ${prunable(names)} {part} {queues} ORDER BY t.id LIMIT :limit`,
    countPrunable: `SELECT count(*)::int AS n FROM ${path} t WHERE ${prunable(names)} {queues}`,
    deleteByIds: `DELETE FROM ${path} t WHERE t.id = ANY((SELECT :row_key::uuid[])::uuid[]) AND t.status IN ('SUCCESSFUL', 'FAILED')`,
    cancelReady: `UPDATE ${path} t SET status = 'FAILED', finished_at = statement_timestamp(), exception_class_path = :exceptionClassPath, traceback = :traceback,
        unique_key = CASE WHEN t.unique_key COLLATE "C" LIKE 'f:%' THEN NULL ELSE t.unique_key END WHERE t.id = :id::uuid AND t.status = 'READY'`,
    requestCancel: requestCancelOf(path),
  }
}

function requestCancelOf(path: string): string {
  return `UPDATE ${path} t SET cancel_requested_at = statement_timestamp() WHERE t.id = :id::uuid AND t.status = 'RUNNING' AND t.lease_until IS NOT NULL`
}

/** On PostgreSQL itself the workers that listen are notified once this is committed. */
function notifyingCancelOf(table: Table): string {
  const requestCancel = requestCancelOf(table.path)
  return table.type === 'postgres'
    ? `WITH asked AS (${requestCancel} RETURNING t.id) SELECT pg_notify('${channelIn(table)}', 'cancel ' || asked.id) FROM asked`
    : requestCancel
}

/** The channel's name inside quotes. */
function channelIn(table: Table): string {
  return channelOf(table).replaceAll("'", "''")
}

function prunable(names: Names): string {
  const older = (age: string): string =>
    `t.finished_at <= statement_timestamp() - ${age}::double precision * INTERVAL '1 millisecond'`
  return `t.${names.isBackend} AND ((t.status = 'SUCCESSFUL' AND ${older(':minAge')}) OR (t.status = 'FAILED' AND ${older(':failedMinAge')}))`
}
