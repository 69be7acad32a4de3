import { keyAfterSql } from '../../../keys'
import type { Session } from '../../connections/session'
import type { Values } from '../../connections/statement'
import type { NewRows } from '../../new-row'
import type { ClaimedRaw, FinishRow, HeldRow, RawRow } from '../../row'
import type { Table } from '../../table'
import type { Claim, InsertOptions } from '../dialect'
import { mysqlNames } from '../names'
import { prunableSql } from '../prunable'
import { type Batch, enqueuedAtByKey, heldOf } from '../records'
import { rowsOf } from '../plain-rows'
import { SqlDialect } from '../sql-dialect'
import type { Statements } from '../statements'
import type { WorkerRecords } from '../worker-records'
import type * as flowRows from '../flow-rows'
import type { FlowRows } from '../flow-verbs'
import type * as workers from './workers'
import type { LockTexts } from '../free-rows'
import { freeKeyOf, INSERTED, newValues, selectList } from '../sql-text'
import { Claims } from './claim'
import {
  BY_KEY,
  inMs,
  instantText,
  KEY,
  leaseFrom,
  NOW,
  PARKED,
  read,
  rows,
  readSmall,
  valuesOf,
} from './columns'
import { assertFits, maxStatementOf } from './packet'
import { alikeValues, FENCE, finishAlikeOf, finishOf, sameId, settledOf } from './finish'

const ROW = selectList(read)
const EXPIRED = selectList(readSmall)
/** What is read of new rows; without a table's name, which RETURNING would refuse. */
const WRITTEN = `CAST(id AS CHAR) AS row_key, unique_key, ${instantText('enqueued_at')} AS enqueued_at`

/**
 * Rows of one statement follow each other by a microsecond, which is less than it takes to write one: claims begin at the
 * first row that they saw, and would walk over all rows of the same instant that are claimed already (measured: 4.9 ms for 100
 * of 100,000 rows, instead of 1.3).
 */
const IN_TURN = `${NOW} + INTERVAL v.n MICROSECOND`

/** MySQL 8.0.4 and later, MariaDB 10.6 and later. An UPDATE returns no rows here, so claims and take-overs select first. */
export class MySql extends SqlDialect {
  readonly name = 'mysql'
  /** The commit of one waits for the disk while the server works on the other (measured: a fifth more no-op tasks on MySQL, 7 % on MariaDB). */
  override readonly exchangesAtOnce = 2
  override readonly pauseWords = { now: NOW, instantText }
  readonly maxStatement: number
  readonly #path: string
  readonly #insertReturns: boolean
  readonly #packet: number | undefined
  readonly #lockByUniqueKey: string
  readonly #claims: Claims
  readonly #written: string
  readonly #finishAlike: string
  readonly #held: string

  constructor(table: Table) {
    const { path, hexIds, isMariaDb } = table
    super(statements(table), locksOf(path))
    this.#path = path
    this.maxStatement = maxStatementOf(table.packet)
    this.#packet = table.packet
    this.#insertReturns = isMariaDb
    this.#lockByUniqueKey = `${this.sql.byUniqueKey} LOCK IN SHARE MODE`
    this.#claims = new Claims(path)
    this.#written = `SELECT ${WRITTEN} FROM ${path} WHERE id IN (:keys)`
    this.#finishAlike = finishAlikeOf(path)
    this.#held = `SELECT ${KEY}, t.cancel_requested_at IS NOT NULL AS cancelled FROM ${path} t JOIN ${rows('row_key', 'claims')} ON ${sameId(hexIds)} WHERE ${FENCE}`
  }

  claim(session: Session, claim: Claim): Promise<ClaimedRaw[]> {
    return this.#claims.claim(session, claim)
  }

  /**
   * Rows of one INSERT have different instants. An INSERT of MySQL returns nothing, so there a query reads them. By then the
   * task may have run and ended: if its id may be that of an earlier row, only a transaction tells which of both was found.
   */
  override async insert(
    session: Session,
    newRows: NewRows,
    options: InsertOptions,
  ): Promise<(key: string) => string | undefined> {
    const isAmbiguous = options.unlessTaken && !options.idsAreNew && !this.#insertReturns
    if (isAmbiguous && !session.isJoined)
      return session.transaction((inside) => this.insert(inside, newRows, options))
    assertFits(newRows, options.unlessTaken, this.#packet)
    const answer = await this.write(session, newRows, options)
    if (this.#insertReturns) return enqueuedAtByKey(answer.records, newRows, options)
    // A worker begins while the instants are read (measured: 1 ms of 7 until the task runs).
    if (!options.unlessTaken) options.onWritten?.()
    const { records } = await session.query(this.#written, valuesOf(newRows.calls))
    return enqueuedAtByKey(records, newRows, options)
  }

  /** A transaction at REPEATABLE READ reads from its snapshot, in which a holder that is newer is missing; a locking read does not. */
  override async byUniqueKey(session: Session, uniqueKey: string): Promise<RawRow | undefined> {
    if (!session.isJoined) return super.byUniqueKey(session, uniqueKey)
    return rowsOf(await session.query(this.#lockByUniqueKey, { uniqueKey }))[0]
  }

  override async finish(
    session: Session,
    outcomes: readonly FinishRow[],
  ): Promise<ReadonlySet<string>> {
    const alike = alikeValues(outcomes)
    if (!alike) return super.finish(session, outcomes)
    const { affected } = await session.query(this.#finishAlike, alike)
    return this.kept(session, outcomes, affected)
  }

  override async renew(
    session: Session,
    renewals: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<ReadonlyMap<string, boolean>> {
    const batch = valuesOf(renewals)
    await session.query(this.sql.renew, { ...batch, leaseSeconds })
    return heldOf(await session.query(this.#held, batch))
  }

  flowRows(session: Session): FlowRows {
    const { SqlFlowRows } = require('../flow-rows') as typeof flowRows
    return new SqlFlowRows(
      this.#path,
      {
        now: NOW,
        parked: PARKED,
        updated: `${this.#path} ${BY_KEY}`,
        isBackend: mysqlNames.isBackend.replaceAll('t.', 'm.'),
        byKeys: 'id IN (:keys)',
        exactKey: 'CONVERT(m.unique_key USING utf8mb4) COLLATE utf8mb4_bin',
        id: 'CAST(m.id AS CHAR)',
        asText: (column) => `CAST(${column} AS CHAR)`,
        instantText,
        instant: (parameter) => parameter,
        batch: (batch) => this.batch(batch),
      },
      session,
    )
  }

  workerRecords(path: string): WorkerRecords {
    const { MySqlWorkers } = require('./workers') as typeof workers
    return new MySqlWorkers(path)
  }

  protected batch(batch: Batch): Values {
    return valuesOf(batch)
  }
}

function locksOf(path: string): LockTexts {
  // By the key: a walk over the table would lock, for a moment, rows that others want.
  const byKeys = `SELECT ${KEY} FROM ${path} t ${BY_KEY} WHERE t.id IN (:keys)`
  return {
    free: `${byKeys} FOR UPDATE SKIP LOCKED`,
    expired: `${byKeys} AND t.status = 'RUNNING' AND t.lease_until < ${NOW} FOR UPDATE SKIP LOCKED`,
    present: byKeys,
  }
}

function statements({ path, hexIds, isMariaDb }: Table): Statements {
  const same = sameId(hexIds)
  const returning = isMariaDb ? ` RETURNING ${WRITTEN}` : ''
  const insert = insertBatch(path)
  return {
    now: `SELECT ${instantText(NOW)} AS now`,
    insert: insert + returning,
    insertKeyed: insertBatch(path, 'unique_key') + returning,
    insertOne: insertOne(path) + returning,
    insertUnlessTaken: `${insertOne(path, { run_after: `COALESCE(${inMs(':delay')}, :run_after)` })} ON DUPLICATE KEY UPDATE unique_key = ${path}.unique_key${returning}`,
    byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id`,
    byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
    freeKey: freeKeyOf(path, `enqueued_at <= ${NOW} - INTERVAL (:every * 1000) MICROSECOND`),
    postpone: `UPDATE ${path} SET args_kwargs = :args_kwargs, run_after = COALESCE(LEAST(${inMs(':wait')}, ${inMs(':atMost', 'enqueued_at')}), ${inMs(':wait')})
      WHERE id = :id AND unique_key = :uniqueKey AND status = 'READY'`,
    finish: finishOf(path, same),
    settled: settledOf(path, same),
    renew: `UPDATE ${rows('row_key', 'claims')} STRAIGHT_JOIN ${path} t ${BY_KEY} ON ${same} SET t.lease_until = ${leaseFrom(NOW)} WHERE ${FENCE}`,
    report: `UPDATE ${rows('row_key', 'claims', 'progress')} STRAIGHT_JOIN ${path} t ${BY_KEY} ON ${same} SET t.progress = v.progress WHERE ${FENCE}`,
    // Assignments happen from left to right: started_at must look at worker_ids before it changes.
    release: `UPDATE ${rows('row_key', 'claims')} STRAIGHT_JOIN ${path} t ${BY_KEY} ON ${same}
      SET t.started_at = CASE WHEN JSON_LENGTH(t.worker_ids) > 1 THEN t.started_at END,
        t.worker_ids = JSON_REMOVE(t.worker_ids, CONCAT('$[', JSON_LENGTH(t.worker_ids) - 1, ']')), t.lease_until = NULL, t.status = 'READY',
        t.run_after = COALESCE(${NOW} + INTERVAL (:delay * 1000) MICROSECOND, t.run_after)
      WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
    argumentsOf: `SELECT ${KEY}, CAST(t.args_kwargs AS CHAR) AS args_kwargs FROM ${path} t WHERE t.id IN (:keys)`,
    expired: `SELECT ${EXPIRED} FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until < ${NOW} AND ${mysqlNames.isBackend} LIMIT :limit`,
    runningOf: `SELECT ${KEY}, t.claims FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until IS NOT NULL AND ${mysqlNames.isBackend}
      AND CASE WHEN JSON_VALID(t.worker_ids) THEN JSON_UNQUOTE(JSON_EXTRACT(t.worker_ids, CONCAT('$[', JSON_LENGTH(t.worker_ids) - 1, ']'))) END = :workerId LIMIT :limit`,
    furtherOn: `SELECT ${KEY} FROM ${path} t WHERE true {part} ORDER BY t.id LIMIT 1 OFFSET :skipped`,
    inQueues: mysqlNames.inQueues,
    isTask: mysqlNames.isTask,
    prunable: `SELECT ${KEY} FROM ${path} t WHERE ${prunable()} {part} {queues} ORDER BY t.id LIMIT :limit`,
    countPrunable: `SELECT COUNT(*) AS n FROM ${path} t WHERE ${prunable()} {queues}`,
    deleteByIds: `DELETE FROM ${path} WHERE id IN (:keys) AND status IN ('SUCCESSFUL', 'FAILED')`,
    cancelReady: `UPDATE ${path} t SET t.status = 'FAILED', t.finished_at = ${NOW}, t.exception_class_path = :exceptionClassPath, t.traceback = :traceback,
        t.unique_key = ${keyAfterSql('finish', 't.unique_key')} WHERE t.id = :id AND t.status = 'READY'`,
    requestCancel: `UPDATE ${path} t SET t.cancel_requested_at = ${NOW} WHERE t.id = :id AND t.status = 'RUNNING' AND t.lease_until IS NOT NULL`,
  }
}

function prunable(): string {
  return prunableSql(
    mysqlNames.isBackend,
    (age) => `finished_at <= ${NOW} - INTERVAL (${age} * 1000) MICROSECOND`,
  )
}

function insertBatch(path: string, ...own: 'unique_key'[]): string {
  const values = newValues({
    ...Object.fromEntries(own.map((name) => [name, `v.${name}`])),
    id: 'v.row_key',
    args_kwargs: 'v.args_kwargs',
    enqueued_at: IN_TURN,
  })
  return `INSERT INTO ${path} (${INSERTED}) SELECT ${values} FROM ${rows('row_key', 'args_kwargs', ...own)}`
}

/** A single row is not worth JSON (measured: a third of the server's time). */
function insertOne(path: string, own: { run_after?: string } = {}): string {
  return `INSERT INTO ${path} (${INSERTED}) VALUES (${newValues({ ...own, enqueued_at: NOW })})`
}
