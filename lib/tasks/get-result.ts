import { backends } from '../backend-registry'
import type { TaskResult } from '../result'

export interface GetResultOptions {
  /** Alias in `TASKS`. Default `'default'`. */
  backend?: string | undefined
}

/**
 * The result with this id, of whatever task: also of one that this process does not define. `someTask.getResult(id)` gives the
 * type of the return value, and refuses results of other tasks.
 *
 * @throws ResultNotFoundError if there is none.
 * @throws InvalidBackendError for an alias that TASKS does not have; NotSupportedError for a backend that keeps no results.
 */
export async function getResult(
  id: string,
  { backend = 'default' }: GetResultOptions = {},
): Promise<TaskResult<unknown>> {
  return backends.get(backend).getResult(id)
}
