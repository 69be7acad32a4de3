import type { TaskResult } from '../../index'
import type { Lane } from './lane'
import { TaskRunError } from './run-error'

const MOST_NAMED = 3

/** Of tasks that are due, and that no claim gives. */
export async function notClaimed(
  lanes: readonly Lane[],
  due: readonly TaskResult<unknown>[],
): Promise<TaskRunError> {
  const paused = new Set<string>()
  for (const { backend, store } of lanes)
    for (const { queue } of (await store.pausedQueues?.()) ?? [])
      paused.add(keyOf(backend.alias, queue))
  const named = due.slice(0, MOST_NAMED).map((result) => {
    const { taskName, id, queueName, backend } = result
    const why = paused.has(keyOf(backend, queueName))
      ? `its queue "${queueName}" is paused`
      : `its row in queue "${queueName}" is locked, or changed meanwhile`
    return `task "${taskName}" (${id}): ${why}`
  })
  const more = due.length > MOST_NAMED ? `; and ${due.length - MOST_NAMED} more` : ''
  return new TaskRunError(
    `untilFinished: what is due cannot be claimed: ${named.join('; ')}${more}.`,
    'Call resumeQueue, end the transaction that holds the rows, or name in `queues` what is to run.',
    { results: due },
  )
}

function keyOf(alias: string, queue: string): string {
  return JSON.stringify([alias, queue])
}
