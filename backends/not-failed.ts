import { NotSupportedError } from '../lib/errors/errors'
import type { TaskStatus } from '../lib/row/record'

/** What somebody is told who retries a task that has not failed. */
export function notFailed(id: string, taskName: string, status: TaskStatus): NotSupportedError {
  return new NotSupportedError(
    `Task ${id} (${taskName}) is ${status}; only a FAILED one can be retried.`,
    status === 'SUCCESSFUL'
      ? 'Enqueue it anew to run it again.'
      : 'A worker will run it, or runs it.',
  )
}
