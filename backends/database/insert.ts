import { dashed, NO_DELAY, utcText } from '../../entities/formats'
import type { Order } from '../../lib/backend'
import { isRecord } from '../../lib/errors/option-checks'
import { AlreadyEnqueuedError, DatabaseError } from '../../lib/errors/errors'
import { assertHolds } from '../unique-key'
import type { Dialect } from './dialects/dialect'
import { newRow, type SharedValues } from './new-row'
import type { RawRow } from './row'
import { type Session, patiently } from './connections/session'
import { isContention, isTaken, refusedValue } from './connections/database-errors'

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
  /** The library made the ids, so no earlier row can have one of them. */
  readonly idsAreNew: boolean
  /** Wakes up idle workers, where the database can notify them. */
  readonly notify: boolean
  /** May be called once the rows can be seen, or, in a transaction of the caller, will be with its commit; before the promise resolves. */
  readonly onWritten?: (() => void) | undefined
}

export interface Written {
  readonly key: string
  /** Made on demand: of many rows few are looked at. */
  readonly row: () => RawRow
  /** False where a row with the same unique key was there already, which is then given in its target. */
  readonly isNew: boolean
}

/** Attempts to insert a row or find the holder of its unique key: of a hot key a holder may finish before each look. */
const ATTEMPTS = 100

/**
 * Writes orders as rows. Returns the rows, in order. What does not fit one statement goes into one transaction. What others
 * were in the way of is tried again, unless the caller's transaction has ended by that.
 */
export function writeOrders(
  target: InsertTarget,
  orders: readonly KeyedOrder[],
): Promise<Written[]> {
  if (orders.length === 1) return writeChunk(target, orders)
  const chunks = alikeRuns(orders, target.backendName).flatMap((alike) =>
    chunked(alike, target.dialect.maxStatement),
  )
  if (chunks.length <= 1) return writeChunk(target, orders)
  const write = (): Promise<Written[]> =>
    target.session.joined(async (session) => {
      const written: Written[] = []
      // What is in this transaction cannot be seen yet.
      const inside = { ...target, session, onWritten: undefined }
      for (const chunk of chunks) written.push(...(await writeChunk(inside, chunk)))
      return written
    })
  return target.session.isJoined ? write() : patiently(write)
}

/** All orders of a chunk have the same unique key, if they have one: then the first gets the row, and the others get the first's. */
async function writeChunk(target: InsertTarget, orders: readonly KeyedOrder[]): Promise<Written[]> {
  const [first, ...others] = orders
  if (!first || first.order.task.uniqueKey === null) return insert(target, false, orders)
  const written = (await insert(target, true, [first]))[0] ?? (await takenBy(target, first))
  return [written, ...others.map(() => ({ ...written, isNew: false }))]
}

/** The rows of the orders, without a row that was left out. */
async function insert(
  { session, dialect, backendName, idsAreNew, notify, onWritten }: InsertTarget,
  unlessTaken: boolean,
  orders: readonly KeyedOrder[],
): Promise<Written[]> {
  const [first] = orders
  if (!first) return []
  const shared = sharedValues(first.order.task, backendName)
  const calls = orders.map(({ order, key }) => ({ row_key: key, args_kwargs: order.argsKwargs }))
  const ask = (): ReturnType<Dialect['insert']> =>
    dialect.insert(session, { shared, calls }, { unlessTaken, idsAreNew, notify, onWritten })
  const enqueuedAt = await ask()
    .catch((error: unknown) => {
      if (session.isJoined || !isContention(error)) throw error
      return patiently(ask)
    })
    .catch((error: unknown) => {
      if (!isTaken(error)) throw refusedValue(error, first.order.task.name)
      // MariaDB refuses the row after all where its key was freed and taken again during the statement.
      if (unlessTaken) return () => undefined
      throw alreadyEnqueued(orders, error)
    })
  const written: Written[] = []
  for (const call of calls) {
    const at = enqueuedAt(call.row_key)
    if (at === undefined && unlessTaken) continue
    // Written, though it is gone already where there is no instant.
    const row = (): RawRow => newRow(call, shared, at ?? utcText(new Date()))
    written.push({ key: call.row_key, row, isNew: true })
  }
  return written
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
  const { task } = keyed.order
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const holder = await dialect.byUniqueKey(session, uniqueKeyOf(task) ?? '')
    if (holder && !isFinished(holder)) return heldBy(holder, keyed)
    // A worker of Django finishes a row and does not know of its key.
    if (holder) await dialect.freeKey(session, holder)
    else if (await dialect.byId(session, keyed.key)) throw alreadyEnqueued([keyed])
    const [written] = await insert(target, true, [keyed])
    if (written) return written
  }
  throw new DatabaseError(
    `Task "${task.name}": the unique key "${task.uniqueKey}" was taken and free again ${ATTEMPTS} times during one enqueue; nothing was written.`,
    'Enqueue it again, or give more keys to so much work.',
  )
}

/** The hint for a column of unique keys whose collation does not compare exactly. */
export const INEXACT_KEYS =
  'Give the column a collation that compares exactly: utf8mb4_bin on MySQL and MariaDB, "C" on PostgreSQL, BINARY on SQLite.'

/** The database finds a row with another key, which the column's collation takes for this one. `found` is as the column has it. */
export function takenForAnother(
  taskName: string,
  key: string | null,
  found: string | null,
): DatabaseError {
  return new DatabaseError(
    `Task "${taskName}": the database takes the unique key "${key}" for "${found?.slice(2)}": the collation of the column unique_key is not exact.`,
    INEXACT_KEYS,
  )
}

function isFinished({ status }: RawRow): boolean {
  return status === 'SUCCESSFUL' || status === 'FAILED'
}

/** @throws DatabaseError if the holder has another key, which the column's collation takes for this one. */
function heldBy(row: RawRow, { order }: KeyedOrder): Written {
  const { name, uniqueKey } = order.task
  if (row.unique_key !== uniqueKeyOf(order.task))
    throw takenForAnother(name, uniqueKey, row.unique_key)
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
