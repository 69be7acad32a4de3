import { type DataSource, type EntityManager, In, Not, type SelectQueryBuilder } from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, hexOf, NO_DELAY, PARKED_UNTIL } from '../../entities/formats'
import { historyOf, withRetry } from '../../lib/errors/history'
import type { CountQuery, ListQuery } from '../../lib/backend'
import { ResultNotFoundError } from '../../lib/errors/errors'
import { isRecord } from '../../lib/errors/option-checks'
import { flowPartOf } from '../../lib/row/flow-parts'
import type { Counts, TaskStatus } from '../../lib/row/record'
import { isUuid } from '../ids'
import { notFailed } from '../not-failed'
import { profileOf } from './profiles/profile-of'
import { keyTaken, userKey } from '../keys'
import { isTaken } from './connections/database-errors'
import { guarded } from './connections/savepoint'
import { takenForAnother } from './enqueueing/keyed'
import { enqueuedKeyOf } from './enqueueing/shared-values'
import type { Table } from './table'

const DAY_MS = 86_400_000

type Rows = SelectQueryBuilder<DBTaskResult>

/** What filters and orders compare. Arguments and results, which may be large, are read of listed rows only. */
export const SMALL_COLUMNS = [
  'id',
  'status',
  'backend_name',
  'queue_name',
  'task_path',
  'enqueued_at',
  'run_after',
] as const

/** The table of one DataSource, seen by somebody who looks at results. */
export interface Browsed {
  readonly manager: EntityManager
  readonly dataSource: DataSource
  readonly table: Table
}

/** How many rows are read by their ids in one statement. */
const CHUNK = 1_000

/**
 * Rows, the newest first.
 *
 * @throws ResultNotFoundError if `before` is no id.
 */
export async function listRows(
  browsed: Browsed,
  alias: string,
  query: ListQuery,
): Promise<DBTaskResult[]> {
  const { manager } = browsed
  if (!query.within)
    return newestFirst(browsed, wanted(browsed, alias, query, wholeTable(browsed, query)))
      .limit(query.limit)
      .getMany()
  const found = await newestFirst(
    browsed,
    wanted(browsed, alias, query, newestRows(browsed, query)),
  )
    .select('t.id', 'id')
    .limit(query.limit)
    .getRawMany<{ id: string }>()
  const rows: DBTaskResult[] = []
  for (let at = 0; at < found.length; at += CHUNK) {
    const ids = found.slice(at, at + CHUNK).map(({ id }) => dashed(id))
    rows.push(...(await manager.findBy(DBTaskResult, { id: In(ids) })))
  }
  const byId = new Map(rows.map((row) => [row.id, row]))
  return found.flatMap(({ id }) => byId.get(dashed(id)) ?? [])
}

/** The number of rows in each status. */
export async function countRows(
  browsed: Browsed,
  alias: string,
  query: CountQuery,
): Promise<Counts> {
  const from = query.within ? newestRows(browsed, query) : wholeTable(browsed, query)
  const records = await wanted(browsed, alias, query, from)
    .select('t.status', 'status')
    .addSelect('COUNT(*)', 'n')
    .addSelect(`SUM(CASE WHEN ${IS_PARKED} THEN 1 ELSE 0 END)`, 'parked')
    .setParameters(AROUND_PARKED)
    .groupBy('t.status')
    .getRawMany<{ status: TaskStatus; n: number | string; parked: number | string }>()
  const found = Object.fromEntries(records.map(({ status, n }) => [status, Number(n)]))
  const waiting = Number(records.find(({ status }) => status === 'READY')?.parked ?? 0)
  const counts = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, ...found }
  return { ...counts, READY: counts.READY - waiting, WAITING: waiting }
}

const IS_PARKED = 't.run_after > :parkedFrom AND t.run_after < :parkedTo'

/** A day before and after: drivers write instants in forms that cannot be told to be equal. */
const AROUND_PARKED = {
  parkedFrom: new Date(PARKED_UNTIL.getTime() - DAY_MS),
  parkedTo: new Date(PARKED_UNTIL.getTime() + DAY_MS),
}

/**
 * Makes a FAILED row READY, due at once, and gives it as it is then. Failures and lost workers are counted anew, and its unique
 * key is taken again.
 *
 * @throws ResultNotFoundError if there is no such row; NotSupportedError unless it is FAILED, or if another row has its key.
 */
export async function retryRow({ manager }: Browsed, id: string): Promise<DBTaskResult> {
  const row = await rowOf(manager, id)
  if (row.status !== 'FAILED') throw notFailed(row.id, row.taskPath, row.status)
  const changes = readyAgain(row)
  await assertKeyFree(manager, row, changes.uniqueKey)
  // `claims` in the condition: if somebody else retried the row and it failed again, that error must not be lost.
  const { affected } = await guarded(manager, (inside) =>
    inside.update(DBTaskResult, { id: row.id, status: 'FAILED', claims: row.claims }, changes),
  ).catch(async (error: unknown) => {
    if (isTaken(error)) await assertKeyFree(manager, row, changes.uniqueKey)
    throw error
  })
  if (affected === 0) {
    const { taskPath, status } = await rowOf(manager, id)
    throw notFailed(row.id, taskPath, status)
  }
  return Object.assign(row, changes)
}

/**
 * @throws NotSupportedError if a row has the key that may still run; DatabaseError if that has another key, which the column's
 * collation takes for this one.
 */
async function assertKeyFree(
  manager: EntityManager,
  { id, taskPath: taskName }: DBTaskResult,
  uniqueKey: string | null,
): Promise<void> {
  if (uniqueKey === null) return
  const holder = await manager.findOneBy(DBTaskResult, { uniqueKey, id: Not(id) })
  if (!holder) return
  const { id: holderId, taskPath, status } = holder
  if (status === 'READY' || status === 'RUNNING') {
    if (holder.uniqueKey !== uniqueKey)
      throw takenForAnother(taskName, userKey(uniqueKey), holder.uniqueKey)
    throw keyTaken({ id, taskName }, { id: holderId, taskName: taskPath, status })
  }
  // A worker of Django finished it, which knows no keys.
  await manager.update(DBTaskResult, { id: holderId, status }, { uniqueKey: null })
}

async function rowOf(manager: EntityManager, id: string): Promise<DBTaskResult> {
  const found = isUuid(dashed(id))
    ? await manager.findOneBy(DBTaskResult, { id: dashed(id) })
    : undefined
  if (!found) throw new ResultNotFoundError(id)
  return found
}

/** All rows, or those that are older than one of them. */
function wholeTable(browsed: Browsed, { before }: CountQuery): Rows {
  return older(browsed, before, browsed.manager.createQueryBuilder(DBTaskResult, 't'))
}

/**
 * The newest rows only. The filters stand outside of this subquery, so that no plan can read more rows than it has: a database
 * that estimates wrongly would otherwise search the whole table for a status that no row has.
 */
function newestRows(browsed: Browsed, { before, within }: CountQuery): Rows {
  const newest = (inner: Rows): Rows =>
    newestFirst(
      browsed,
      older(
        browsed,
        before,
        inner
          .select(SMALL_COLUMNS.map((column) => `t.${column} AS ${column}`))
          .from(DBTaskResult, 't'),
      ),
    ).limit(within)
  return browsed.manager.createQueryBuilder().from(newest, 't')
}

/** Names are compared exactly, also in a table of Django's, whose collation may take "mail" for "Mail". */
function wanted(
  { table }: Browsed,
  alias: string,
  { status, queues, excludeQueues, taskName, everyBackend }: Partial<ListQuery & CountQuery>,
  rows: Rows,
): Rows {
  const exactly = profileOf(table.type).exactly ?? ((column: string) => column)
  const named = (column: string, parameter: string, names: readonly string[], not = ''): void => {
    const isOne = names.length > 0 ? `${exactly(column)} ${not} IN (:...${parameter})` : '0 = 1'
    rows.andWhere(isOne, { [parameter]: names })
  }
  if (!everyBackend) named('t.backend_name', 'backendNames', [alias])
  if (status === 'WAITING') rows.andWhere(`t.status = 'READY' AND ${IS_PARKED}`, AROUND_PARKED)
  else if (status) rows.andWhere('t.status = :status', { status })
  if (queues) named('t.queue_name', 'queueNames', queues)
  else if (excludeQueues?.length) named('t.queue_name', 'queueNames', excludeQueues, 'NOT')
  if (taskName !== undefined) named('t.task_path', 'taskNames', [taskName])
  return rows
}

/** @throws ResultNotFoundError if `before` is no id. */
function older({ dataSource, table }: Browsed, before: string | undefined, rows: Rows): Rows {
  if (before === undefined) return rows
  if (!isUuid(dashed(before))) throw new ResultNotFoundError(before)
  // The database compares the times: JavaScript would cut their microseconds off.
  const time = `(SELECT b.enqueued_at FROM ${table.path} b WHERE b.id = :before)`
  const isOlder = isOurs(dataSource)
    ? 't.id < :before'
    : `(t.enqueued_at < ${time} OR (t.enqueued_at = ${time} AND t.id < :before))`
  return rows.andWhere(isOlder, { before: table.hexIds ? hexOf(before) : dashed(before) })
}

function newestFirst({ dataSource }: Browsed, rows: Rows): Rows {
  if (!isOurs(dataSource)) rows.addOrderBy('t.enqueued_at', 'DESC')
  return rows.addOrderBy('t.id', 'DESC')
}

/** Ids that this library makes are in the order of time, so lists need no sort. Those in a table that Django made are not. */
function isOurs(dataSource: DataSource): boolean {
  return dataSource.getMetadata(DBTaskResult).synchronize
}

function readyAgain({
  attemptErrors,
  exceptionClassPath,
  options,
  traceback,
  uniqueKey,
}: DBTaskResult) {
  return {
    status: 'READY' as const,
    uniqueKey: uniqueKey ?? enqueuedKeyOf(options),
    // A step of a flow waits again, and is settled anew: what it waits for may have been retried, too.
    runAfter: isStep(options) ? PARKED_UNTIL : NO_DELAY,
    finishedAt: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    progress: null,
    exceptionClassPath: '',
    traceback: '',
    // What somebody wrote in place of a list would make the task FAILED again.
    attemptErrors: withRetry(historyOf(attemptErrors) ?? [], { exceptionClassPath, traceback }),
  }
}

/** Whether a row waits for others, but not for a failure: that may be gone. */
function isStep(options: unknown): boolean {
  const { awaits } = isRecord(options) ? flowPartOf(options) : {}
  return awaits !== undefined && awaits.when !== 'failed'
}
