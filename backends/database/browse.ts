import type { DataSource } from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, NO_DELAY } from '../../entities/formats'
import { NotSupportedError, ResultNotFoundError } from '../../lib/errors/errors'
import { isUuid } from '../ids'
import { tableOf } from './table'
import { explained } from './connections/database-errors'

/**
 * The row of that id.
 *
 * @throws ResultNotFoundError if there is none, also for what is no UUID.
 */
export async function rowOf(dataSource: DataSource, id: string): Promise<DBTaskResult> {
  if (!isUuid(dashed(id))) throw new ResultNotFoundError(id)
  const row = await onTable(dataSource, () =>
    dataSource.getRepository(DBTaskResult).findOneBy({ id: dashed(id) }),
  )
  if (!row) throw new ResultNotFoundError(id)
  return row
}

/**
 * Puts a FAILED row back into its queue, due at once, its error kept among those of earlier attempts; gives the row as it was.
 *
 * @throws ResultNotFoundError if there is no such row; NotSupportedError unless it is FAILED.
 */
export async function retryFailed(dataSource: DataSource, id: string): Promise<DBTaskResult> {
  const row = await rowOf(dataSource, id)
  if (row.status !== 'FAILED') throw notFailed(row)
  // The claims in the condition: should somebody else have retried it, and it failed again, that error must not be lost.
  const { affected } = await onTable(dataSource, () =>
    dataSource.manager.update(
      DBTaskResult,
      { id: row.id, status: 'FAILED', claims: row.claims },
      readyAgain(row),
    ),
  )
  if (affected === 0) throw notFailed(await rowOf(dataSource, id))
  return row
}

/** Runs `work` on the tasks table; errors that mean an incomplete set-up say so. */
export async function onTable<T>(dataSource: DataSource, work: () => Promise<T>): Promise<T> {
  const { name } = await tableOf(dataSource)
  try {
    return await work()
  } catch (error) {
    throw explained(error, name)
  }
}

function readyAgain({ attemptErrors, exceptionClassPath, traceback }: DBTaskResult) {
  return {
    status: 'READY' as const,
    runAfter: NO_DELAY,
    finishedAt: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    progress: null,
    exceptionClassPath: '',
    traceback: '',
    attemptErrors: [...(attemptErrors ?? []), { exceptionClassPath, traceback }],
  }
}

function notFailed({ id, taskPath, status }: DBTaskResult): NotSupportedError {
  return new NotSupportedError(
    `Task ${id} (${taskPath}) is ${status}; only a FAILED one can be retried.`,
    status === 'SUCCESSFUL'
      ? 'Enqueue it anew to run it again.'
      : 'A worker will run it, or runs it.',
  )
}
