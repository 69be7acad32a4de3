import { NO_DELAY, PARKED_UNTIL, utcText } from '../../../entities/formats'
import { isPlain } from '../../../lib/row/flow-parts'
import type { Order, TaskKey } from '../../../lib/order'
import { isRecord } from '../../../lib/errors/option-checks'
import { storedKey } from '../../keys'
import type { SharedValues } from '../new-row'

/** `run_after` of a row without a delay, as text. */
export const UNDELAYED = utcText(NO_DELAY)

/** `run_after` of a row that waits for others, as text. */
export const PARKED = utcText(PARKED_UNTIL)

/** What the rows of all orders of one task have in common. */
export function sharedValues(
  order: Pick<Order, 'task' | 'key' | 'flow' | 'slot' | 'trace'>,
  backendName: string,
): SharedValues {
  const { task, key, flow } = order
  return {
    priority: task.priority,
    task_path: task.name,
    queue_name: task.queueName,
    backend_name: backendName,
    run_after: flow?.awaits ? PARKED : task.runAfter ? utcText(task.runAfter) : UNDELAYED,
    unique_key: storedKey(key),
    options: optionsOf(order),
  }
}

/**
 * What the worker must know of this enqueue, and a worker that takes over, though it may not know the task; the unique key, which
 * a retry by hand takes again: its column is cleared when the task finishes; and the throttle, which whoever moves the row holds
 * elsewhere. Of most members of a set it is nothing: a claim reads it from their key (measured: a quarter of what a flow costs).
 */
function optionsOf({
  task: { overrides, policy },
  key,
  flow,
  slot,
  trace,
}: Parameters<typeof sharedValues>[0]): string | null {
  const own = {
    ...overrides,
    ...(policy.rerunAfterCrash ? {} : { rerunAfterCrash: false }),
    ...(key ? keyOptions(key) : {}),
    ...(slot ? { slot } : {}),
    ...(trace ? { trace } : {}),
  }
  const options = isEmpty(own) && isToldByKey(flow) ? own : { ...own, ...flowOptions(flow) }
  return isEmpty(options) ? null : JSON.stringify(options)
}

function keyOptions(key: TaskKey): object {
  if (key.kind === 'unique') return { uniqueKey: key.key }
  return key.kind === 'throttle' ? { throttle: { key: key.key, every: key.every } } : {}
}

function isEmpty(options: object): boolean {
  return Object.keys(options).length === 0
}

function flowOptions(flow: Order['flow']): object {
  return flow?.member || flow?.awaits ? { flow: { member: flow.member, awaits: flow.awaits } } : {}
}

function isToldByKey(flow: Order['flow']): boolean {
  return flow?.member !== undefined && !flow.awaits && isPlain(flow.member)
}

/** The unique key with which a row was enqueued, as its column has it; null: none. */
export function enqueuedKeyOf(options: unknown): string | null {
  const key = isRecord(options) ? options['uniqueKey'] : undefined
  return typeof key === 'string' ? storedKey({ kind: 'unique', key }) : null
}
