import { dashed } from '../../entities/formats'
import type { Order } from '../../lib/backend'
import { AlreadyEnqueuedError } from '../../lib/errors/errors'
import { assertHolds } from '../unique-key'
import type { Dialect } from './dialects/dialect'
import { sharedValues, uniqueKeyOf } from './order-to-row'
import { type RawRow, newRow } from './row'
import type { Session } from './connections/session'
import { isTaken } from './connections/database-errors'

export interface KeyedOrder {
  readonly order: Order
  readonly key: string
}

/** Where orders are written. */
export interface Place {
  readonly session: Session
  readonly dialect: Dialect
  readonly backendName: string
  /** Idle workers are told with it, where the database can. */
  readonly tells: boolean
}

export interface Written {
  readonly key: string
  /** Made when it is looked at: of many rows few are. */
  readonly row: () => RawRow
  /** False where a row with the same unique key was there already, which is then given in its place. */
  readonly isNew: boolean
}

const TRIES = 3

/** Writes orders, all of one task, as rows and gives the rows back, in order. More than fit one statement go into one transaction. */
export function writeOrders(place: Place, orders: readonly KeyedOrder[]): Promise<Written[]> {
  const chunks = chunked(orders, place.dialect.maxStatement)
  if (chunks.length <= 1) return writeChunk(place, orders)
  return place.session.joined(async (session) => {
    const written: Written[] = []
    for (const chunk of chunks) written.push(...(await writeChunk({ ...place, session }, chunk)))
    return written
  })
}

async function writeChunk(place: Place, orders: readonly KeyedOrder[]): Promise<Written[]> {
  const unique = orders.some(({ order }) => order.task.uniqueKey !== null)
  const rows = await insert(place, unique, orders)
  const written: Written[] = []
  for (const [i, keyed] of orders.entries()) written.push(rows[i] ?? (await takenBy(place, keyed)))
  return written
}

/** For each order its row, or undefined where that was left out. */
async function insert(
  { session, dialect, backendName, tells }: Place,
  unlessTaken: boolean,
  orders: readonly KeyedOrder[],
): Promise<(Written | undefined)[]> {
  const [first] = orders
  if (!first) return []
  const shared = sharedValues(first.order.task, backendName)
  const calls = orders.map(({ order, key }) => ({ row_key: key, args_kwargs: order.argsKwargs }))
  const enqueuedAt = await dialect
    .insert(session, { shared, calls }, { unlessTaken, tells })
    .catch((error: unknown) => {
      throw isTaken(error) ? alreadyEnqueued(orders, error) : error
    })
  return calls.map((call) => {
    const at = enqueuedAt(call.row_key)
    return at === undefined
      ? undefined
      : { key: call.row_key, row: () => newRow(call, shared, at), isNew: true }
  })
}

function alreadyEnqueued(orders: readonly KeyedOrder[], cause?: unknown): AlreadyEnqueuedError {
  return new AlreadyEnqueuedError(
    orders[0]?.order.task.name ?? '',
    orders.map(({ key }) => dashed(key)),
    { cause },
  )
}

/** The row that holds the key. It may finish, and so free the key, between the two looks: then it is tried again. */
async function takenBy(place: Place, keyed: KeyedOrder): Promise<Written> {
  const { session, dialect } = place
  for (let tries = 0; tries < TRIES; tries++) {
    const holder = await dialect.byUniqueKey(session, uniqueKeyOf(keyed.order.task) ?? '')
    if (holder) return heldBy(holder, keyed)
    const [written] = await insert(place, true, [keyed])
    if (written) return written
  }
  throw alreadyEnqueued([keyed])
}

function heldBy(row: RawRow, { order }: KeyedOrder): Written {
  assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, order.task)
  return { key: row.row_key, row: () => row, isNew: false }
}

function chunked(orders: readonly KeyedOrder[], limit: number): KeyedOrder[][] {
  const chunks: KeyedOrder[][] = []
  let room = 0
  for (const keyed of orders) {
    // Escaped inside the batch, the arguments may take up to twice their length; 500 for all else.
    const size = 2 * keyed.order.argsKwargs.length + 500
    if (chunks.length === 0 || size > room) {
      chunks.push([])
      room = limit
    }
    chunks.at(-1)?.push(keyed)
    room -= size
  }
  return chunks
}
