import { MOST_WORKERS, WORKER_LEFT_OUT } from '../../../lib/errors/history'
import { keyAfterSql } from '../../keys'
import type { Session } from '../connections/session'
import type { Values } from '../connections/statement'
import { type ClaimedRaw, type FinishRow, MAX_CLAIMS } from '../row'
import type { Table } from '../table'
import type { Claim } from './dialect'
import { sqliteNames } from './names'
import { prunableSql } from './prunable'
import { type Batch, keysOf } from './records'
import { inMs, instant } from './sqlite-instants'
import { rowsOf } from './plain-rows'
import { SqlDialect } from './sql-dialect'
import type { Statements } from './statements'
import type { WorkerRecords } from './worker-records'
import type * as workers from './sqlite-workers'
import {
  CLAIM_COLUMNS,
  freeKeyOf,
  INSERTED,
  newValues,
  perFilter,
  queueValues,
  selectList,
  SMALL_BYTES,
  UNCANCELLED,
} from './sql-text'
import type { TableColumn } from '../../../entities/columns'

/** As text, since SQLite stores values of any type in any column. Without a table's name, which RETURNING would refuse. */
const read = ({ name, kind }: TableColumn): string =>
  kind === 'int' || kind === 'word' ? name : `CAST(${name} AS TEXT)`
const ROW = selectList(read)
/** Large arguments are read later, as many as memory bears. */
const readSmall = (column: TableColumn): string =>
  column.name === 'args_kwargs'
    ? `CASE WHEN length(args_kwargs) <= ${SMALL_BYTES} THEN ${read(column)} END`
    : read(column)
const CLAIMED = selectList(readSmall, CLAIM_COLUMNS)
const EXPIRED = selectList(readSmall)

const NOW = instant()
/**
 * The end of the present millisecond, in which Django may have written an instant with microseconds. What begins or ends here
 * comes after it.
 */
const AFTER_ALL = endOfMs()

function endOfMs(...modifiers: string[]): string {
  return `strftime(${["'%Y-%m-%d %H:%M:%f999'", "'now'", ...modifiers].join(', ')})`
}
const LEASE = instant("'+' || :leaseSeconds || ' seconds'")
/** Above any priority, even one that was never checked. */
const ABOVE_ALL = 2 ** 63
/** The guard of every write of a batch. */
const FENCE = `t.id = v.row_key AND t.status = 'RUNNING' AND t.claims = v.claims AND t.lease_until IS NOT NULL`

/** A batch as a table `v` with these columns. */
function rows(...columns: string[]): string {
  return `(SELECT ${columns.map((column) => `json_extract(value, '$.${column}') AS ${column}`).join(', ')} FROM json_each(:rows)) AS v`
}

/** SQLite 3.35 and later. Each statement is a transaction of its own, so none reads first and then fails to write. */
export class Sqlite extends SqlDialect {
  readonly name = 'sqlite'
  readonly maxStatement = 256 * 1024 * 1024
  readonly #finishSomeAgain: string
  readonly #takeOver: string
  readonly #nextPriority: string
  readonly #claimTexts: ReturnType<typeof claimTexts>

  constructor({ path }: Table) {
    super(statements(path), null)
    this.#finishSomeAgain = finishOf(path, true)
    this.#takeOver = `${this.#finishSomeAgain} AND t.lease_until < ${NOW} RETURNING id AS row_key`
    this.#nextPriority = `SELECT max(priority) AS priority FROM ${path} WHERE status = 'READY' AND priority < :below`
    this.#claimTexts = claimTexts(path)
  }

  /**
   * From priority to priority, in each the due delayed rows and then the undelayed ones; see the PostgreSQL dialect
   * for why. A statement costs no round trip here, so each range is a statement, and an empty one writes nothing.
   */
  async claim(session: Session, claim: Claim): Promise<ClaimedRaw[]> {
    const claimed: ClaimedRaw[] = []
    try {
      await this.#claimInto(claimed, session, claim)
    } catch (error) {
      // What is claimed by then must run: a claim that is made again would not find it. The next one will meet the error.
      if (claimed.length === 0) throw error
    }
    return claimed
  }

  override async finish(
    session: Session,
    rows: readonly FinishRow[],
  ): Promise<ReadonlySet<string>> {
    if (rows.every((row) => row.attempt_errors === null)) return super.finish(session, rows)
    const { affected } = await session.query(this.#finishSomeAgain, this.batch(rows))
    return this.kept(session, rows, affected)
  }

  override async takeOver(
    session: Session,
    rows: readonly FinishRow[],
  ): Promise<ReadonlySet<string>> {
    return keysOf(await session.query(this.#takeOver, this.batch(rows)))
  }

  workerRecords(path: string): WorkerRecords {
    const { SqliteWorkers } = require('./sqlite-workers') as typeof workers
    return new SqliteWorkers(path)
  }

  protected batch(rows: Batch): Values {
    return { rows: JSON.stringify(rows) }
  }

  async #claimInto(claimed: ClaimedRaw[], session: Session, claim: Claim): Promise<void> {
    const ranges = this.#claimTexts(claim.filter)
    let priority = await this.#priorityBelow(session, ABOVE_ALL)
    while (priority !== null && claimed.length < claim.limit) {
      for (const range of ranges) {
        const limit = claim.limit - claimed.length
        if (limit > 0) claimed.push(...(await claimRange(session, range, claim, priority, limit)))
      }
      priority = await this.#priorityBelow(session, priority)
    }
  }

  async #priorityBelow(session: Session, below: number): Promise<number | null> {
    const { records } = await session.query(this.#nextPriority, { below })
    return (records[0]?.['priority'] ?? null) as number | null
  }
}

function statements(path: string): Statements {
  const insert = insertInto(
    path,
    { id: 'v.row_key', args_kwargs: 'v.args_kwargs' },
    `FROM ${rows('row_key', 'args_kwargs')} WHERE true`,
  )
  return {
    insert: `${insert} RETURNING enqueued_at`,
    insertOne: `${insertInto(path, {})} RETURNING enqueued_at`,
    insertUnlessTaken: `${insertInto(path, { run_after: `coalesce(${inMs(':delay')}, :run_after)` }, 'WHERE true')} ON CONFLICT DO NOTHING RETURNING id AS row_key, unique_key, enqueued_at`,
    byId: `SELECT ${ROW} FROM ${path} WHERE id = :id`,
    byUniqueKey: `SELECT ${ROW} FROM ${path} WHERE unique_key = :uniqueKey`,
    freeKey: freeKeyOf(path, `enqueued_at <= ${instant("'-' || (:every / 1000.0) || ' seconds'")}`),
    postpone: `UPDATE ${path} SET args_kwargs = :args_kwargs, run_after = coalesce(min(${inMs(':wait')}, ${inMs(':atMost', 'enqueued_at')}), ${inMs(':wait')})
      WHERE id = :id AND unique_key = :uniqueKey AND status = 'READY'`,
    finish: finishOf(path, false),
    settled: `SELECT t.id AS row_key FROM ${path} t, ${rows('row_key', 'claims', 'status', 'exception_class_path')}
      WHERE t.id = v.row_key AND t.claims = v.claims AND t.status = v.status AND t.lease_until IS NULL AND t.exception_class_path = v.exception_class_path`,
    renew: `UPDATE ${path} AS t SET lease_until = ${LEASE}
      FROM ${rows('row_key', 'claims')} WHERE ${FENCE} RETURNING id AS row_key, cancel_requested_at IS NOT NULL AS cancelled`,
    report: `UPDATE ${path} AS t SET progress = v.progress FROM ${rows('row_key', 'claims', 'progress')} WHERE ${FENCE}`,
    release: `UPDATE ${path} AS t SET status = 'READY', lease_until = NULL, worker_ids = json_remove(t.worker_ids, '$[#-1]'),
        started_at = CASE WHEN json_array_length(t.worker_ids) > 1 THEN t.started_at END,
        run_after = coalesce(${instant("'+' || (:delay / 1000.0) || ' seconds'")}, t.run_after)
      FROM ${rows('row_key', 'claims')} WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
    argumentsOf: `SELECT id AS row_key, CAST(args_kwargs AS TEXT) AS args_kwargs FROM ${path} WHERE id IN (SELECT json_extract(value, '$.row_key') FROM json_each(:rows))`,
    expired: `SELECT ${EXPIRED} FROM ${path} WHERE status = 'RUNNING' AND lease_until < ${NOW} AND ${sqliteNames.isBackend} LIMIT :limit`,
    runningOf: `SELECT id AS row_key, claims FROM ${path} WHERE status = 'RUNNING' AND lease_until IS NOT NULL AND ${sqliteNames.isBackend}
      AND CASE WHEN json_valid(worker_ids) THEN json_extract(worker_ids, '$[#-1]') END = :workerId LIMIT :limit`,
    furtherOn: `SELECT id AS row_key FROM ${path} WHERE true {part} ORDER BY id LIMIT 1 OFFSET :skipped`,
    inQueues: sqliteNames.inQueues,
    isTask: sqliteNames.isTask,
    prunable: `SELECT id AS row_key FROM ${path} WHERE ${prunable()} {part} {queues} ORDER BY id LIMIT :limit`,
    countPrunable: `SELECT count(*) AS n FROM ${path} WHERE ${prunable()} {queues}`,
    deleteByIds: `DELETE FROM ${path} WHERE id IN (SELECT json_extract(value, '$.row_key') FROM json_each(:rows)) AND status IN ('SUCCESSFUL', 'FAILED')`,
    cancelReady: `UPDATE ${path} SET status = 'FAILED', finished_at = ${AFTER_ALL}, exception_class_path = :exceptionClassPath, traceback = :traceback,
        unique_key = ${keyAfterSql('finish', 'unique_key')} WHERE id = :id AND status = 'READY'`,
    requestCancel: `UPDATE ${path} SET cancel_requested_at = ${NOW} WHERE id = :id AND status = 'RUNNING' AND lease_until IS NOT NULL`,
  }
}

/** `someAgain`: rows are among them that are to run again. For others SQLite would copy the histories as they are (measured: a tenth more time). */
function finishOf(path: string, someAgain: boolean): string {
  const history = someAgain
    ? `attempt_errors = coalesce(v.attempt_errors, t.attempt_errors),
      worker_ids = CASE WHEN v.attempt_errors IS NULL OR json_array_length(t.worker_ids) < ${MOST_WORKERS} THEN t.worker_ids ELSE json_remove(t.worker_ids, '$[${WORKER_LEFT_OUT}]') END,`
    : ''
  return `UPDATE ${path} AS t SET status = v.status, return_value = v.return_value, exception_class_path = v.exception_class_path, traceback = v.traceback,
      finished_at = CASE WHEN v.status = 'READY' THEN NULL ELSE ${AFTER_ALL} END,
      run_after = CASE WHEN v.delay IS NULL THEN t.run_after ELSE ${instant("'+' || (v.delay / 1000.0) || ' seconds'")} END,
      ${history}
      progress = coalesce(v.progress, t.progress),
      unique_key = ${keyAfterSql('finish', 't.unique_key', { when: "v.status <> 'READY' AND " })},
      lease_until = NULL, cancel_requested_at = NULL
    FROM ${rows('row_key', 'claims', 'status', 'return_value', 'exception_class_path', 'traceback', ...(someAgain ? ['attempt_errors'] : []), 'progress', 'delay')}
    WHERE ${FENCE} AND ${UNCANCELLED}`
}

/** The instant is computed once for all rows. A single row does without JSON (measured: 26 µs instead of 30). */
function insertInto(
  path: string,
  own: Readonly<Partial<Record<'id' | 'args_kwargs' | 'run_after', string>>>,
  from = '',
): string {
  const values = newValues({ ...own, enqueued_at: `(SELECT ${NOW})` })
  return `INSERT INTO ${path} (${INSERTED}) SELECT ${values} ${from}`
}

/**
 * For each range one statement: the due delayed rows, then the undelayed ones. The subquery runs under the lock of the UPDATE,
 * so no row can change in between. To look at the status once more would do harm: without ANALYZE SQLite has no statistics,
 * and would walk all READY rows for it (measured with 100,000: 50 to 120 ms instead of 1).
 */
function claimTexts(path: string) {
  return perFilter((filter) =>
    [`<= ${NOW}`, `= '9999-01-01 00:00:00'`].map(
      (
        runAfter,
      ) => `UPDATE ${path} SET status = 'RUNNING', started_at = ${AFTER_ALL}, lease_until = ${LEASE}, claims = min(coalesce(claims, 0), ${MAX_CLAIMS - 1}) + 1, cancel_requested_at = NULL,
        unique_key = ${keyAfterSql('claim', 'unique_key')},
        worker_ids = CASE WHEN NOT json_valid(worker_ids) THEN json_array(worker_ids, :worker)
          WHEN json_type(worker_ids) = 'array' THEN json_insert(worker_ids, '$[#]', :worker) ELSE json_array(json(worker_ids), :worker) END
      WHERE id IN (SELECT id FROM ${path}
        WHERE status = 'READY' AND priority = :priority AND run_after ${runAfter} AND ${sqliteNames.isBackend} ${sqliteNames.inQueues(filter)}
        ORDER BY run_after, enqueued_at LIMIT :limit)
      RETURNING ${CLAIMED}`,
    ),
  )
}

async function claimRange(
  session: Session,
  text: string,
  { filter, workerId, backendName, leaseSeconds }: Claim,
  priority: number,
  limit: number,
): Promise<ClaimedRaw[]> {
  const worker = { worker: workerId, backendName, leaseSeconds }
  return rowsOf(await session.query(text, { ...worker, priority, limit, ...queueValues(filter) }))
}

function prunable(): string {
  return prunableSql(
    sqliteNames.isBackend,
    (age) => `finished_at <= ${endOfMs(`'-' || (${age} / 1000.0) || ' seconds'`)}`,
  )
}
