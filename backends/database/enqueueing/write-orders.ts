import type { Order } from '../../../lib/order'
import { patiently } from '../connections/session'
import { insert, type InsertTarget, type NewOrder, type Written } from './insert'
import { storedKey } from '../../keys'
import { writeKeyed } from './keyed'
import { ongoing, oneByOne } from './one-by-one'
import { sharedValues } from './shared-values'

/**
 * Writes orders as rows. Returns the rows, in order. What does not fit one statement goes into one transaction. What others
 * were in the way of is tried again, unless the caller's transaction has ended by that.
 */
export function writeOrders(target: InsertTarget, orders: readonly NewOrder[]): Promise<Written[]> {
  if (orders.length === 1) return writeOnce(target, orders)
  if (orders.some(({ order }) => order.key !== null)) return writeByKeys(target, orders)
  return writeAll(target, orders)
}

/**
 * Those with the same key side by side, since they become one row; and in the order of their keys: two transactions that write the
 * same ones in two orders would each wait for the other.
 */
async function writeByKeys(target: InsertTarget, orders: readonly NewOrder[]): Promise<Written[]> {
  const byKey = new Map<string | null, NewOrder[]>()
  for (const each of orders) {
    const key = storedKey(each.order.key)
    byKey.set(key, [...(byKey.get(key) ?? []), each])
  }
  const sorted = [...byKey].toSorted(byTheirKeys).flatMap(([, alike]) => alike)
  const written = await writeAll(target, sorted)
  const byId = new Map(sorted.map(({ id }, i) => [id, written[i]]))
  return orders.flatMap(({ id }) => byId.get(id) ?? [])
}

function byTheirKeys([one]: [string | null, unknown], [other]: [string | null, unknown]): number {
  const [a, b] = [one ?? '', other ?? '']
  return a < b ? -1 : Number(a > b)
}

function writeAll(target: InsertTarget, orders: readonly NewOrder[]): Promise<Written[]> {
  const chunks = alikeRuns(orders, target.backendName).flatMap((alike) =>
    chunked(alike, target.dialect.maxStatement),
  )
  if (chunks.length <= 1) return writeOnce(target, orders)
  const write = (): Promise<Written[]> =>
    target.session.joined(async (session) => {
      const written: Written[] = []
      // What is in this transaction cannot be seen yet.
      const inside = { ...target, session, onWritten: undefined }
      for (const chunk of chunks) written.push(...(await writeChunk(inside, chunk)))
      return written
    })
  return target.session.isJoined ? write() : oneByOne(target.session, () => patiently(write))
}

/** By one statement, if no other enqueue is in its way. */
function writeOnce(target: InsertTarget, orders: readonly NewOrder[]): Promise<Written[]> {
  const others = ongoing(target.session)
  return others ? others.then(() => writeChunk(target, orders)) : writeChunk(target, orders)
}

/** All orders of a chunk have the same key, or none. */
function writeChunk(target: InsertTarget, orders: readonly NewOrder[]): Promise<Written[]> {
  return orders[0]?.order.key ? writeKeyed(target, orders) : insert(target, orders)
}

/** One statement has orders of one task with the same options, as all of `enqueueMany` are unless a middleware changed some. */
function alikeRuns(orders: readonly NewOrder[], backendName: string): NewOrder[][] {
  const textOf = ({ order }: NewOrder): string =>
    JSON.stringify([sharedValues(order, backendName), order.flow === undefined])
  const runs: NewOrder[][] = []
  for (const keyed of orders) {
    const [before] = runs.at(-1) ?? []
    const isAlike =
      before && (isAlikeAtOnce(before.order, keyed.order) || textOf(before) === textOf(keyed))
    if (isAlike) runs.at(-1)?.push(keyed)
    else runs.push([keyed])
  }
  return runs
}

function isAlikeAtOnce(one: Order, other: Order): boolean {
  return (
    one.task === other.task &&
    one.key?.key === other.key?.key &&
    isAlikeInFlow(one.flow, other.flow) &&
    one.slot === other.slot &&
    one.trace === other.trace
  )
}

function isAlikeInFlow(one: Order['flow'], other: Order['flow']): boolean {
  return one?.member === other?.member && one?.awaits === other?.awaits
}

function chunked(orders: readonly NewOrder[], limit: number): NewOrder[][] {
  const chunks: NewOrder[][] = []
  let left = 0
  for (const keyed of orders) {
    // In characters: escaped in the batch, arguments may take twice their length; 500 for the rest.
    const size = 2 * keyed.order.argsKwargs.length + 500
    if (chunks.length === 0 || size > left) {
      chunks.push([])
      left = limit
    }
    chunks.at(-1)?.push(keyed)
    left -= size
  }
  return chunks
}
