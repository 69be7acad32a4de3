import type { Order } from '../../../lib/order'
import type { TaskResult } from '../../../lib/result'
import type { Part } from '../enqueueing/write'
import type { RelayTable } from './table'

type Result = TaskResult<unknown>

/**
 * Enqueues calls with keys outside of a transaction. What waits in the table for the relay keeps them out; and a debounce is always
 * a row, since there is one place where it can be postponed, which is where a transaction writes it.
 */
export async function enqueueOutside(
  table: RelayTable,
  orders: readonly Order[],
  inRedis: (orders: readonly Order[], part: Part) => Promise<Result[]>,
): Promise<Result[]> {
  const results = new Map(await table.standing(orders))
  const left = orders.filter((order) => !results.has(order))
  const write = async (
    some: readonly Order[],
    by: (orders: readonly Order[], part: Part) => Promise<Result[]>,
  ): Promise<void> => {
    const wanted = new Set(some)
    const places = orders.flatMap((order, i) => (wanted.has(order) ? [i] : []))
    const written = some.length > 0 ? await by(some, { places, count: orders.length }) : []
    for (const [i, result] of written.entries()) if (some[i]) results.set(some[i], result)
  }
  await write(left.filter(isDebounced), (some) => table.debounce(some))
  await write(
    left.filter((order) => !isDebounced(order)),
    inRedis,
  )
  return orders.flatMap((order) => results.get(order) ?? [])
}

function isDebounced({ key }: Order): boolean {
  return key?.kind === 'debounce'
}
