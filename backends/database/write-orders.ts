import { dashed, NO_DELAY, utcText } from '../../entities/formats'
import type { Order } from '../../lib/backend'
import { AlreadyEnqueuedError } from '../../lib/errors'
import { assertHolds } from '../unique-key'
import type { Dialect, NewRow } from './dialect'
import type { RawRow } from './row'
import type { Session } from './session'
import { isTaken } from './trouble'

export interface KeyedOrder {
  readonly order: Order
  readonly key: string
}

export interface Written {
  readonly row: RawRow
  /** False where a row with the same unique key was there already, which is then given in its place. */
  readonly isNew: boolean
}

const TRIES = 3

/** Writes orders as rows and gives the rows back, in order. More than fit one statement go into one transaction. */
export async function writeOrders(session: Session, dialect: Dialect, orders: readonly KeyedOrder[], backendName: string): Promise<Written[]> {
  const chunks = chunked(orders, dialect.maxStatement)
  if (chunks.length <= 1) return writeChunk(session, dialect, orders, backendName)
  return session.joined(async (inside) => {
    const written: Written[] = []
    for (const chunk of chunks) written.push(...(await writeChunk(inside, dialect, chunk, backendName)))
    return written
  })
}

async function writeChunk(session: Session, dialect: Dialect, orders: readonly KeyedOrder[], backendName: string): Promise<Written[]> {
  const unique = orders.some(({ order }) => order.task.uniqueKey !== null)
  const rows = await insert(session, dialect, unique, orders, backendName)
  const written: Written[] = []
  for (const keyed of orders) {
    const row = rows.get(keyed.key)
    written.push(row ? { row, isNew: true } : await takenBy(session, dialect, keyed, backendName))
  }
  return written
}

async function insert(session: Session, dialect: Dialect, unlessTaken: boolean, orders: readonly KeyedOrder[], backendName: string): Promise<Map<string, RawRow>> {
  const rows = await dialect.insert(session, orders.map((keyed) => newRow(keyed, backendName)), unlessTaken).catch((error: unknown) => {
    throw isTaken(error) ? alreadyEnqueued(orders, error) : error
  })
  // MySQL passes over a row whose id is taken as over one whose unique key is, and gives back the one that has the id.
  const unique = new Map(orders.map((keyed) => [keyed.key, uniqueKeyOf(keyed)]))
  return new Map(rows.filter((row) => row.unique_key === unique.get(row.row_key)).map((row) => [row.row_key, row]))
}

function alreadyEnqueued(orders: readonly KeyedOrder[], cause?: unknown): AlreadyEnqueuedError {
  return new AlreadyEnqueuedError(orders[0]?.order.task.name ?? '', orders.map(({ key }) => dashed(key)), { cause })
}

/** The row that holds the key. It may finish, and so free the key, between the two looks: then it is tried again. */
async function takenBy(session: Session, dialect: Dialect, keyed: KeyedOrder, backendName: string): Promise<Written> {
  for (let tries = 0; tries < TRIES; tries++) {
    const holder = await dialect.byUniqueKey(session, uniqueKeyOf(keyed) ?? '')
    if (holder) return heldBy(holder, keyed)
    const row = (await insert(session, dialect, true, [keyed], backendName)).get(keyed.key)
    if (row) return { row, isNew: true }
  }
  throw alreadyEnqueued([keyed])
}

function heldBy(row: RawRow, { order }: KeyedOrder): Written {
  assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, order.task)
  return { row, isNew: false }
}

function newRow({ order, key }: KeyedOrder, backendName: string): NewRow {
  const { task, argsKwargs } = order
  return {
    row_key: key,
    args_kwargs: argsKwargs,
    priority: task.priority,
    task_path: task.name,
    queue_name: task.queueName,
    backend_name: backendName,
    run_after: utcText(task.runAfter ?? NO_DELAY),
    unique_key: uniqueKeyOf({ order, key }),
    options: optionsOf(task),
  }
}

/** What the worker, or whoever takes over from it, must know though it may not know the task. */
function optionsOf({ overrides, policy }: Order['task']): string | null {
  const options = policy.rerunAfterCrash ? overrides : { ...overrides, rerunAfterCrash: false }
  return Object.keys(options).length === 0 ? null : JSON.stringify(options)
}

/** `f:` marks a key that is free again once its task has finished. */
function uniqueKeyOf({ order }: KeyedOrder): string | null {
  return order.task.uniqueKey === null ? null : `f:${order.task.uniqueKey}`
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
