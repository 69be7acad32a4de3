import { And, type FindOptionsWhere, In, IsNull, LessThanOrEqual, MoreThan, Not } from 'typeorm'
import type { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { CANCELLED } from '../../../../lib/errors/error-record'
import type { FinishRow, HeldRow } from '../../row'
import type { Part, Prunable, QueueFilter } from '../dialect'

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

export function prunable({ backendName, queues, minAge, failedMinAge }: Prunable): Where[] {
  const older = (status: DBTaskResult['status'], age: number): Where => ({
    status,
    backendName,
    finishedAt: LessThanOrEqual(new Date(Date.now() - age)),
    ...inQueues({ queues, excludeQueues: [] }),
  })
  return [older('SUCCESSFUL', minAge), older('FAILED', failedMinAge)]
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
