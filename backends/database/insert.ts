import { dashed, NO_DELAY, utcText } from '../../entities/formats'
import type { Order } from '../../lib/backend'
import { AlreadyEnqueuedError } from '../../lib/errors/errors'
import { assertHolds } from '../unique-key'
import type { Dialect } from './dialects/dialect'
import { newRow, type RawRow, type SharedValues } from './row'
import type { Session } from './connections/session'
import { isTaken } from './connections/database-errors'

/** An order and the id of its row, as the database spells it. */
export interface KeyedOrder {
  readonly order: Order
  readonly key: string
}

/** Where and how orders are written. */
export interface InsertTarget {
  readonly session: Session
  readonly dialect: Dialect
  readonly backendName: string
  /** Wakes up idle workers, where the database can notify them. */
  readonly notify: boolean
}

export interface Written {
  readonly key: string
  /** Made on demand: of many rows few are looked at. */
  readonly row: () => RawRow
  /** False where a row with the same unique key was there already, which is then given in its target. */
  readonly isNew: boolean
}

/** Attempts to insert a row or find the holder of its unique key. */
const ATTEMPTS = 3

/** Writes orders as rows. Returns the rows, in order. What does not fit one statement goes into one transaction. */
export function writeOrders(
  target: InsertTarget,
  orders: readonly KeyedOrder[],
): Promise<Written[]> {
  if (orders.length === 1) return writeChunk(target, orders)
  const chunks = alikeRuns(orders, target.backendName).flatMap((alike) =>
    chunked(alike, target.dialect.maxStatement),
  )
  if (chunks.length <= 1) return writeChunk(target, orders)
  return target.session.joined(async (session) => {
    const written: Written[] = []
    for (const chunk of chunks) written.push(...(await writeChunk({ ...target, session }, chunk)))
    return written
  })
}

async function writeChunk(target: InsertTarget, orders: readonly KeyedOrder[]): Promise<Written[]> {
  const unique = orders.some(({ order }) => order.task.uniqueKey !== null)
  const rows = await insert(target, unique, orders)
  const written: Written[] = []
  for (const [i, keyed] of orders.entries()) written.push(rows[i] ?? (await takenBy(target, keyed)))
  return written
}

/** For each order its row, or undefined if it was left out. */
async function insert(
  { session, dialect, backendName, notify }: InsertTarget,
  unlessTaken: boolean,
  orders: readonly KeyedOrder[],
): Promise<(Written | undefined)[]> {
  const [first] = orders
  if (!first) return []
  const shared = sharedValues(first.order.task, backendName)
  const calls = orders.map(({ order, key }) => ({ row_key: key, args_kwargs: order.argsKwargs }))
  const enqueuedAt = await dialect
    .insert(session, { shared, calls }, { unlessTaken, notify })
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

/** The row that holds the key. It may finish, and so free the key, between the two statements: then they are repeated. */
async function takenBy(target: InsertTarget, keyed: KeyedOrder): Promise<Written> {
  const { session, dialect } = target
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const holder = await dialect.byUniqueKey(session, uniqueKeyOf(keyed.order.task) ?? '')
    if (holder) return heldBy(holder, keyed)
    const [written] = await insert(target, true, [keyed])
    if (written) return written
  }
  throw alreadyEnqueued([keyed])
}

function heldBy(row: RawRow, { order }: KeyedOrder): Written {
  assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, order.task)
  return { key: row.row_key, row: () => row, isNew: false }
}

/** One statement has orders of one task with the same options, as all of `enqueueMany` are unless a middleware changed some. */
function alikeRuns(orders: readonly KeyedOrder[], backendName: string): KeyedOrder[][] {
  const textOf = ({ order: { task } }: KeyedOrder): string =>
    JSON.stringify(sharedValues(task, backendName))
  const runs: KeyedOrder[][] = []
  for (const keyed of orders) {
    const [before] = runs.at(-1) ?? []
    const isAlike =
      before && (before.order.task === keyed.order.task || textOf(before) === textOf(keyed))
    if (isAlike) runs.at(-1)?.push(keyed)
    else runs.push([keyed])
  }
  return runs
}

function chunked(orders: readonly KeyedOrder[], limit: number): KeyedOrder[][] {
  const chunks: KeyedOrder[][] = []
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

/** What the worker must know of this enqueue, and a worker that takes over, though it may not know the task. */
function optionsOf({ overrides, policy }: Order['task']): string | null {
  const options = policy.rerunAfterCrash ? overrides : { ...overrides, rerunAfterCrash: false }
  return Object.keys(options).length === 0 ? null : JSON.stringify(options)
}
