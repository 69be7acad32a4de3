import { NO_DELAY, utcText } from '../../entities/formats'
import type { Order } from '../../lib/backend'
import { isRecord } from '../../lib/errors/option-checks'
import type { SharedValues } from './row'

/** `run_after` of a row without a delay, as text. */
export const UNDELAYED = utcText(NO_DELAY)

/** What the rows of all orders of one task have in common. */
export function sharedValues(task: Order['task'], backendName: string): SharedValues {
  return {
    priority: task.priority,
    task_path: task.name,
    queue_name: task.queueName,
    backend_name: backendName,
    run_after: task.runAfter ? utcText(task.runAfter) : UNDELAYED,
    unique_key: uniqueKeyOf(task),
    options: optionsOf(task),
  }
}

/** `f:` marks a key that is free again once its task has finished. */
export function uniqueKeyOf({ uniqueKey }: Order['task']): string | null {
  return uniqueKey === null ? null : `f:${uniqueKey}`
}

/**
 * What the worker must know of this enqueue, and a worker that takes over, though it may not know the task; and the unique key,
 * which a retry by hand takes again: its column is cleared when the task finishes.
 */
function optionsOf({ overrides, policy, uniqueKey }: Order['task']): string | null {
  const options = {
    ...overrides,
    ...(policy.rerunAfterCrash ? {} : { rerunAfterCrash: false }),
    ...(uniqueKey === null ? {} : { uniqueKey }),
  }
  return Object.keys(options).length === 0 ? null : JSON.stringify(options)
}

/** The unique key with which a row was enqueued, as its column has it; null: none. */
export function enqueuedKeyOf(options: unknown): string | null {
  const key = isRecord(options) ? options['uniqueKey'] : undefined
  return typeof key === 'string' ? `f:${key}` : null
}
