import { keyAfterSql } from '../../../keys'
import { codeOf } from '../../connections/database-errors'
import { patiently, type Session, unlessLocked } from '../../connections/session'
import type { Values } from '../../connections/statement'
import { type Names, postgresNames } from '../names'
import { prunableSql } from '../prunable'
import type { ClaimedRaw, FinishRow } from '../../row'
import type { Table } from '../../table'
import type { Claim, Exchanged, InsertOptions, PauseWords, QueueFilter } from '../dialect'
import type { Batch } from '../records'
import { rowsOf } from '../plain-rows'
import { SqlDialect } from '../sql-dialect'
import type { InsertTexts, Statements } from '../statements'
import type { WorkerRecords } from '../worker-records'
import type * as flowRows from '../flow-rows'
import type { FlowRows } from '../flow-verbs'
import type * as workers from './workers'
import { freeKeyOf, queueValues } from '../sql-text'
import { type ClaimTexts, claimTexts, type FoundBy } from './claim'
import { claimedOf } from './claimed'
import { EXACT_KEY, EXPIRED, inMs, instantText, ROW, rows, soonRows, USUAL } from './columns'
import { flowWords } from './flow-words'
import { FENCE, finishOf, locksOf, settledOf } from './finish'
import { channelIn, notifyingCancelOf, pauseWordsOf, requestCancelOf } from './cancel'
import { insertTexts } from './insert'

/** The codes of a server for an unknown column, and for one that it does not support. */
const NO_ADDRESSES = /^(42703|0A000)$/

const HELD = rows('row_key', 'claims')

interface ClaimStatements {
  readonly text: ClaimTexts
  readonly by: FoundBy
  readonly queues: Values
}

/** PostgreSQL 13 and later; CockroachDB and YugabyteDB by the same statements. */
export class Postgres extends SqlDialect {
  readonly name = 'postgres'
  override readonly exchangesAtOnce = 2
  readonly maxStatement = 16 * 1024 * 1024
  override readonly pauseWords: PauseWords
  /** The INSERTs that also notify workers: for a single row, for many, and for a row whose unique key may be taken. */
  readonly #notifyingInserts: InsertTexts
  readonly #notifyingCancel: string
  readonly #names: Names
  readonly #finishSoon: string
  readonly #soonRows: typeof rows
  readonly #path: string
  #foundBy: FoundBy
  /** By the filter itself, which a worker keeps: its statements are made once. */
  readonly #claims = new WeakMap<QueueFilter, ClaimStatements>()

  constructor(table: Table) {
    const { path } = table
    super(statements(table), locksOf(path))
    const notify =
      table.type === 'postgres' ? `, pg_notify('${channelIn(table)}', 'ready ' || :queue_name)` : ''
    this.#notifyingInserts = insertTexts(path, notify)
    this.#notifyingCancel = notifyingCancelOf(table)
    this.pauseWords = pauseWordsOf(table)
    this.#names = postgresNames(table.type)
    this.#soonRows = soonRowsOn(table)
    this.#finishSoon = finishOf(path, this.#soonRows)
    this.#path = path
    this.#foundBy = table.type === 'cockroachdb' ? 'id' : 'ctid'
  }

  /** With one statement, and one commit. */
  override async exchange(
    session: Session,
    outcomes: readonly FinishRow[],
    claim: Claim,
  ): Promise<Exchanged> {
    if (claim.limit === 0) return super.exchange(session, outcomes, claim)
    if (outcomes.length > 0)
      return unlessLocked(() => this.finishAndClaim(session, outcomes, claim))
    return { kept: new Set(), claimed: await patiently(() => this.claim(session, claim)) }
  }

  async claim(session: Session, claim: Claim): Promise<ClaimedRaw[]> {
    return (await this.#claiming(session, claim, ({ text }) => text.claim)).claimed
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
    const { done, claimed } = await this.#claiming(
      session,
      claim,
      ({ text }) => text.finishAndClaim,
      this.batch(outcomes),
    )
    return { kept: await this.kept(session, outcomes, done), claimed }
  }

  override async requestCancel(session: Session, id: string, notify: boolean): Promise<number> {
    if (!notify) return super.requestCancel(session, id, notify)
    return (await session.query(this.#notifyingCancel, { id })).affected
  }

  flowRows(session: Session): FlowRows {
    const { SqlFlowRows } = require('../flow-rows') as typeof flowRows
    const words = flowWords(this.#names, (batch) => this.batch(batch))
    return new SqlFlowRows(this.#path, words, session)
  }

  workerRecords(path: string): WorkerRecords {
    const { PostgresWorkers } = require('./workers') as typeof workers
    return new PostgresWorkers(path)
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

  protected override insertTexts({ notify }: InsertOptions): InsertTexts {
    return notify ? this.#notifyingInserts : this.sql
  }

  /** Runs a statement that claims, once more by ids where it turns out that rows have no addresses. */
  async #claiming(
    session: Session,
    claim: Claim,
    textOf: (made: ClaimStatements) => string,
    batch: Values = {},
  ): Promise<ReturnType<typeof claimedOf>> {
    const { limit, filter, workerId: worker, backendName, leaseSeconds } = claim
    const made = this.#claimOf(filter)
    const values = { limit, backendName, leaseSeconds, worker, ...made.queues, ...batch }
    try {
      return claimedOf(rowsOf(await session.query(textOf(made), values)), claim)
    } catch (error) {
      if (made.by === 'id' || !NO_ADDRESSES.test(codeOf(error))) throw error
      this.#foundBy = 'id'
      return this.#claiming(session, claim, textOf, batch)
    }
  }

  #claimOf(filter: QueueFilter): ClaimStatements {
    const by = this.#foundBy
    let made = this.#claims.get(filter)
    if (made?.by !== by) {
      const text = claimTexts(this.#path, filter, this.#names, this.#soonRows, by)
      made = { text, by, queues: queueValues(filter) }
      this.#claims.set(filter, made)
    }
    return made
  }
}

const PLAIN_COLUMNS: ReadonlySet<string> = new Set(['row_key', 'claims'])
const JSON_COLUMNS: ReadonlySet<string> = new Set([
  'return_value',
  'attempt_errors',
  'progress',
  'args_kwargs',
])
/** Control characters are no part of JSON that was written without indentation. */
// oxlint-disable-next-line no-control-regex -- it is about them
const CONTROL = /[\0-\x1f]/

/**
 * The driver escapes by regular expressions, which blocks the process (measured: 300 ms for one text of 500,000 quotes, 15 s
 * for twenty; like this 9 and 370). An array's text escapes quotes and backslashes as JSON does, and ids and numbers need none.
 */
function columnOf(name: string, texts: readonly (string | number | null)[]): Values[string] {
  if (PLAIN_COLUMNS.has(name)) return `{${texts.join(',')}}`
  if (!JSON_COLUMNS.has(name) || texts.some((text) => CONTROL.test(String(text))))
    return { column: texts }
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
    now: `SELECT ${instantText('statement_timestamp()')} AS now`,
    ...insertTexts(path),
    byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id::uuid`,
    byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
    freeKey: freeKeyOf(path, `enqueued_at <= ${inMs('-:every')}`),
    postpone: `UPDATE ${path} t SET args_kwargs = :args_kwargs::jsonb, run_after = least(${inMs(':wait')}, ${inMs(':atMost', 't.enqueued_at')})
      WHERE t.id = :id::uuid AND t.unique_key = :uniqueKey AND t.status = 'READY'`,
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
    isTask: names.isTask,
    prunable: `SELECT t.id::text AS row_key FROM ${path} t WHERE ${prunable(names)} {part} {queues} ORDER BY t.id LIMIT :limit`,
    countPrunable: `SELECT count(*)::int AS n FROM ${path} t WHERE ${prunable(names)} {queues}`,
    deleteByIds: `DELETE FROM ${path} t WHERE t.id = ANY((SELECT :row_key::uuid[])::uuid[]) AND t.status IN ('SUCCESSFUL', 'FAILED')`,
    cancelReady: `UPDATE ${path} t SET status = 'FAILED', finished_at = statement_timestamp(), exception_class_path = :exceptionClassPath, traceback = :traceback,
        unique_key = ${keyAfterSql('finish', 't.unique_key', { exact: EXACT_KEY })} WHERE t.id = :id::uuid AND t.status = 'READY'`,
    requestCancel: requestCancelOf(path),
  }
}

function prunable(names: Names): string {
  return prunableSql(
    names.isBackend,
    (age) =>
      `finished_at <= statement_timestamp() - ${age}::double precision * INTERVAL '1 millisecond'`,
  )
}
