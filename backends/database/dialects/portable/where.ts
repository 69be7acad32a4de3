import { And, type FindOptionsWhere, In, IsNull, LessThanOrEqual, MoreThan, Not } from 'typeorm'
import type { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { CANCELLED } from '../../../../lib/errors/error-record'
import type { UserKey } from '../../../../lib/order'
import type { FinishRow, HeldRow, RawRow } from '../../row'
import type { Part, Prunable, QueueFilter, RowAges } from '../dialect'

export type Where = FindOptionsWhere<DBTaskResult>

/** A row as its claim left it. */
export function fence({ row_key, claims }: HeldRow): Where {
  return { id: row_key, claims, status: 'RUNNING', leaseUntil: Not(IsNull()) }
}

/** A cancelled row ends as cancelled and in no other way. */
export function finishable(row: FinishRow): Where {
  return row.exception_class_path === CANCELLED
    ? fence(row)
    : { ...fence(row), cancelRequestedAt: IsNull() }
}

/** A row that has the key that it had when it was read. */
export function holding({ row_key: id, unique_key: uniqueKey }: RawRow): Where {
  return { id, uniqueKey: uniqueKey ?? '' }
}

/** What is so of a row that may keep its key no more. */
export function keepsNoMore(key: UserKey): Where {
  if (key.kind === 'debounce') return { status: Not('READY') }
  const finished: Where = { status: In(['SUCCESSFUL', 'FAILED']) }
  if (key.kind === 'unique') return finished
  return { ...finished, enqueuedAt: LessThanOrEqual(new Date(Date.now() - key.every)) }
}

export function prunable({ backendName, queues, groups, minAge, failedMinAge }: Prunable): Where[] {
  const older = (status: DBTaskResult['status'], age: number | null, of: Where): Where => ({
    status,
    backendName,
    // No condition at all would mean every row.
    finishedAt: age === null ? In([]) : LessThanOrEqual(new Date(Date.now() - age)),
    ...of,
    ...inQueues({ queues, excludeQueues: [] }),
  })
  const both = (ages: RowAges, of: Where): Where[] => [
    older('SUCCESSFUL', ages.minAge, of),
    older('FAILED', ages.failedMinAge, of),
  ]
  const own = groups.flatMap(({ names }) => names)
  return [
    ...both({ minAge, failedMinAge }, own.length === 0 ? {} : { taskPath: Not(In(own)) }),
    ...groups.flatMap((group) => both(group, { taskPath: In(group.names) })),
  ]
}

export function inPart({ after, upTo }: Part): Where {
  const bounds = [
    ...(after === null ? [] : [MoreThan(after)]),
    ...(upTo === null ? [] : [LessThanOrEqual(upTo)]),
  ]
  return bounds.length === 0 ? {} : { id: And(...bounds) }
}

export function inQueues({ queues, excludeQueues }: QueueFilter): Where {
  if (queues !== null) return { queueName: In(queues) }
  return excludeQueues.length === 0 ? {} : { queueName: Not(In(excludeQueues)) }
}
