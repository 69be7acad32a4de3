import { clock } from '../clock'
import { recordOf } from '../errors/error-record'
import type { Order } from '../order'
import type { TaskResult } from '../result'
import { taskFacts } from './facts'
import { sendTraced, tracing } from './tracer'

type Stored = readonly TaskResult<unknown>[]

/** Whether anybody wants to know of enqueues. */
export function isSendingSeen(): boolean {
  return tracing.tracer !== undefined || taskFacts.isHeard
}

/** Stores the orders of one call, all of one backend, and tells who wants to know. `store` gets them with their trace. */
export async function sending(
  orders: readonly Order[],
  store: (orders: readonly Order[]) => Promise<Stored>,
): Promise<Stored> {
  const startedAt = clock.now()
  try {
    const { tracer } = tracing
    const results = await (tracer ? sendTraced(tracer, orders, store) : store(orders))
    tell(orders, results, clock.now() - startedAt, null)
    return results
  } catch (error) {
    tell(orders, [], clock.now() - startedAt, recordOf(error).exceptionClassPath)
    throw error
  }
}

/** One fact for each task and queue. */
function tell(orders: readonly Order[], results: Stored, ms: number, error: string | null): void {
  if (!taskFacts.isHeard) return
  const facts = new Map<string, { task: Order['task']; count: number }>()
  for (const [i, { task }] of orders.entries()) {
    const key = `${task.name} ${task.queueName}`
    const fact = facts.get(key) ?? { task, count: 0 }
    if (error === null && results[i]?.isDuplicate === false) fact.count++
    facts.set(key, fact)
  }
  for (const { task, count } of facts.values()) {
    const { backend, queueName: queue, name } = task
    taskFacts.send({ what: 'sent', backend, queue, task: name, count, ms, error })
  }
}
