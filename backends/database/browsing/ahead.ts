import { type EntityManager, LessThanOrEqual, type SelectQueryBuilder } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { dashed, hexOf, NO_DELAY } from '../../../entities/formats'
import { MOST_AHEAD } from '../../../lib/browser'
import type { TaskResult } from '../../../lib/result'
import type { Session } from '../connections/session'
import type { Place } from '../place'
import type { Table } from '../table'

/** The most rows that one look reads, whatever their queue. */
const LOOKED_AT = 1_000

type Rows = SelectQueryBuilder<DBTaskResult>

/**
 * How many due rows of its queue a claim would take before a READY row, up to MOST_AHEAD. Null: it is not due, or rows of other queues
 * stood in the way. By ranges of the index of claims, since rows that wait for tomorrow stand between the due ones.
 */
export async function countAhead(
  { table, dialect }: Place,
  session: Session,
  { id, status, isWaiting, priority, queueName, backend, runAfter }: TaskResult<unknown>,
): Promise<number | null> {
  if (status !== 'READY' || isWaiting) return null
  const now = await dialect.now(session)
  if (runAfter !== null && runAfter > now) return null
  const key = table.hexIds ? hexOf(id) : dashed(id)
  let count = 0
  for (const narrow of rangesBefore(table, { key, priority, now, isDelayed: runAfter !== null })) {
    const found = await narrow(readyRows(session.manager)).limit(LOOKED_AT).getMany()
    count += found.filter(
      (row) =>
        row.queueName === queueName && row.backendName === backend && isDue(row.runAfter, now),
    ).length
    if (count >= MOST_AHEAD) return MOST_AHEAD
    if (found.length === LOOKED_AT) return null
  }
  return count
}

interface Own {
  readonly key: string
  readonly priority: number
  readonly now: Date
  readonly isDelayed: boolean
}

/** Rows of a higher priority; then those of its own that were delayed, and those that were not. */
function rangesBefore(
  table: Table,
  { key, priority, now, isDelayed }: Own,
): ((rows: Rows) => Rows)[] {
  // The database compares the instants: JavaScript would cut their microseconds off. The first half is a bound of the index.
  const isBefore = (column: string): string => {
    const own = `(SELECT b.${column} FROM ${table.path} b WHERE b.id = :key)`
    return `t.${column} <= ${own} AND (t.${column} < ${own} OR t.id < :key)`
  }
  const level = (rows: Rows): Rows => rows.andWhere('t.priority = :priority', { priority, key })
  const due = (rows: Rows): Rows => level(rows).andWhere({ runAfter: LessThanOrEqual(now) })
  const higher = (rows: Rows): Rows => rows.andWhere('t.priority > :priority', { priority })
  if (isDelayed) return [higher, (rows) => due(rows).andWhere(isBefore('run_after'))]
  const undelayed = (rows: Rows): Rows =>
    level(rows).andWhere({ runAfter: NO_DELAY }).andWhere(isBefore('enqueued_at'))
  return [higher, due, undelayed]
}

function readyRows(manager: EntityManager): Rows {
  return manager
    .createQueryBuilder(DBTaskResult, 't')
    .select(['t.id', 't.queueName', 't.backendName', 't.runAfter'])
    .where("t.status = 'READY'")
}

function isDue(runAfter: Date, now: Date): boolean {
  return runAfter <= now || runAfter.getTime() === NO_DELAY.getTime()
}
