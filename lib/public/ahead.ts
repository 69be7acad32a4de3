import { backends } from '../backend-registry'
import type { TaskResult } from '../result'

/**
 * How many tasks of the same queue are due and come before this one: for "waiting behind 3". At most MOST_AHEAD, which then means
 * so many or more. Null: it is not due, has started or finished, or the backend cannot tell with a few looks. It is an
 * estimate: several workers, and those that serve other queues too, may take tasks in another order.
 */
export async function tasksAhead(result: TaskResult<unknown>): Promise<number | null> {
  return backends.get(result.backend).ahead(result)
}
