import { NotSupportedError, ResultMismatchError } from '../lib/errors/errors'
import type { ResultValues } from '../lib/record'
import type { TaskValues } from '../lib/tasks/task-options'

/**
 * A unique key gives the waiting task in the place of a new one, so both must be of one task.
 *
 * @throws ResultMismatchError if another task holds the key.
 */
export function assertHolds(
  { id, taskName }: Pick<ResultValues, 'id' | 'taskName'>,
  { name, uniqueKey }: TaskValues,
): void {
  if (taskName !== name)
    throw new ResultMismatchError(
      `The unique key "${uniqueKey}" is held by task "${taskName}" (${id}), so "${name}" cannot have it.`,
      `Put the task's name into the key, e.g. "${name}:${uniqueKey}".`,
    )
}

/** A task cannot be retried by hand, since its unique key is another row's now. `key` is as the column has it. */
export function keyTaken(
  { id, taskName }: Pick<ResultValues, 'id' | 'taskName'>,
  key: string,
  holder: Pick<ResultValues, 'id' | 'taskName' | 'status'>,
): NotSupportedError {
  return new NotSupportedError(
    `Task ${id} (${taskName}) cannot be retried: its unique key "${key.slice(2)}" is held by task ${holder.id} (${holder.taskName}), which is ${holder.status}.`,
    'Wait until that one has finished, or cancel it.',
  )
}
