import type { TaskBackend } from '../../../../lib/backend'
import type { ResultValues } from '../../../../lib/row/record'
import { TaskResult } from '../../../../lib/result'

/** A row of the table, to others: while the relay holds it, it is RUNNING there, and still waits. */
export function asWaiting(backend: TaskBackend, result: TaskResult<unknown>): TaskResult<unknown> {
  if (result.status !== 'RUNNING') return result
  const values: ResultValues = {
    id: result.id,
    taskName: result.taskName,
    status: 'READY',
    args: result.args,
    kwargs: result.kwargs,
    enqueuedAt: result.enqueuedAt,
    startedAt: null,
    finishedAt: null,
    priority: result.priority,
    queueName: result.queueName,
    backend: result.backend,
    runAfter: result.runAfter,
    workerIds: result.workerIds.slice(0, -1),
    errors: result.errors,
    returnValue: null,
    progress: null,
  }
  return new TaskResult(backend, values, undefined, result.isDuplicate)
}
