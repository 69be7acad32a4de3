import {
  type DataSource,
  type EntityManager,
  type FindOperator,
  type FindOptionsWhere,
  In,
  LessThan,
  Not,
  Raw,
} from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, hexOf, NO_DELAY } from '../../entities/formats'
import { historyOf, withRetry } from '../../lib/errors/history'
import type { CountQuery, ListQuery } from '../../lib/backend'
import { ResultNotFoundError } from '../../lib/errors/errors'
import type { Counts, TaskStatus } from '../../lib/record'
import { isUuid } from '../ids'
import { notFailed } from '../not-failed'
import type { Profile } from './profiles/profile'
import { profileOf } from './profiles/profile-of'
import { keyTaken, userKey } from '../keys'
import { isTaken } from './connections/database-errors'
import { guarded } from './connections/savepoint'
import { takenForAnother } from './enqueueing/keyed'
import { enqueuedKeyOf } from './enqueueing/shared-values'
import type { Table } from './table'

type Where = FindOptionsWhere<DBTaskResult>

/** The table of one DataSource, seen by somebody who looks at results. */
export interface Browsed {
  readonly manager: EntityManager
  readonly dataSource: DataSource
  readonly table: Table
}

/**
 * Rows, the newest first.
 *
 * @throws ResultNotFoundError if `before` is no id.
 */
export async function listRows(
  { manager, dataSource, table }: Browsed,
  alias: string,
  query: ListQuery,
): Promise<DBTaskResult[]> {
  // Ids that this library makes are in the order of time, so this needs no sort. Those in a table that Django made are not.
  const isOurs = dataSource.getMetadata(DBTaskResult).synchronize
  const exactly = isOurs ? undefined : profileOf(table.type).exactly
  const wanted = wantedRows(query, alias, exactly)
  return manager.find(DBTaskResult, {
    where: olderRows(query.before, isOurs, table).map((older) => ({ ...wanted, ...older })),
    order: isOurs ? { id: 'DESC' } : { enqueuedAt: 'DESC', id: 'DESC' },
    take: query.limit,
  })
}

/** The number of rows in each status. */
export async function countRows(
  { manager, table }: Browsed,
  alias: string,
  query: CountQuery,
): Promise<Counts> {
  const records = await manager
    .createQueryBuilder(DBTaskResult, 't')
    .select('t.status', 'status')
    .addSelect('COUNT(*)', 'n')
    .where(wantedRows(query, alias, profileOf(table.type).exactly))
    .groupBy('t.status')
    .getRawMany<{ status: TaskStatus; n: number | string }>()
  const found = Object.fromEntries(records.map(({ status, n }) => [status, Number(n)]))
  return { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, ...found }
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
    throw keyTaken({ id, taskName }, uniqueKey, { id: holderId, taskName: taskPath, status })
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

/** Names are compared exactly, also in a table of Django's, whose collation may take "mail" for "Mail". */
function wantedRows(
  { status, queues, excludeQueues, taskName, everyBackend }: Partial<ListQuery & CountQuery>,
  alias: string,
  exactly: Profile['exactly'],
): Where {
  const named = (parameter: string, names: readonly string[]): FindOperator<string> =>
    exactly && names.length > 0
      ? Raw((column) => `${exactly(column)} IN (:...${parameter})`, { [parameter]: names })
      : In(names)
  return {
    ...(everyBackend ? {} : { backendName: named('backendNames', [alias]) }),
    ...(status ? { status } : {}),
    ...(excludeQueues?.length ? { queueName: Not(named('queueNames', excludeQueues)) } : {}),
    ...(queues ? { queueName: named('queueNames', queues) } : {}),
    ...(taskName === undefined ? {} : { taskPath: named('taskNames', [taskName]) }),
  }
}

/** Alternatives of which a row must meet one. */
function olderRows(before: string | undefined, isOurs: boolean, table: Table): Where[] {
  if (before === undefined) return [{}]
  if (!isUuid(dashed(before))) throw new ResultNotFoundError(before)
  return isOurs ? [olderById(before)] : olderByTime(before, table)
}

function olderById(id: string): Where {
  return { id: LessThan(dashed(id)) }
}

/** The database compares the times: JavaScript would cut their microseconds off. */
function olderByTime(id: string, { path, hexIds }: Table): Where[] {
  const enqueuedAt = (compared: '<' | '='): Where['enqueuedAt'] =>
    Raw(
      (column) =>
        `${column} ${compared} (SELECT b.enqueued_at FROM ${path} b WHERE b.id = :before)`,
      { before: hexIds ? hexOf(id) : dashed(id) },
    )
  return [
    { enqueuedAt: enqueuedAt('<') },
    { enqueuedAt: enqueuedAt('='), ...olderById(id) },
  ] as Where[]
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
    runAfter: NO_DELAY,
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
