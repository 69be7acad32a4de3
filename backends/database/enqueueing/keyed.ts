import { dashed } from '../../../entities/formats'
import type { TaskKey } from '../../../lib/order'
import { DatabaseError } from '../../../lib/errors/errors'
import { assertHolds, storedKey, userKey } from '../../keys'
import { patiently } from '../connections/session'
import type { RawRow } from '../row'
import { alreadyEnqueued, insert, type InsertTarget, type NewOrder, type Written } from './insert'

/** Attempts to insert a row or find the holder of its key: of a hot key a holder may finish before each look. */
const ATTEMPTS = 100

/**
 * Writes orders that have the same key: one row at most, which stands for all of them. It is the row of the first order, where
 * the last one does not replace the others.
 */
export async function writeKeyed(
  target: InsertTarget,
  orders: readonly NewOrder[],
): Promise<Written[]> {
  const isLast = orders[0]?.order.key?.kind === 'debounce'
  const chosen = isLast ? orders.at(-1) : orders[0]
  const key = chosen?.order.key
  if (!chosen || !key) return []
  const written = await writeOne(target, chosen, key)
  return orders.map((_, i) => (i === 0 ? written : { ...written, isNew: false }))
}

async function writeOne(target: InsertTarget, order: NewOrder, key: TaskKey): Promise<Written> {
  const { session, dialect } = target
  // Most calls of a debounce meet a row that waits, and the others an empty place.
  let isFree = key.kind !== 'debounce'
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [written] = isFree ? await insert(target, [order]) : []
    if (written) return written
    const holder = await dialect.byUniqueKey(session, storedKey(key) ?? '')
    const standing = holder && (await standingFor(target, order, key, holder))
    if (standing) return { id: standing.row_key, row: () => standing, isNew: false }
    if (!holder && isFree && (await dialect.byId(session, order.id))) throw alreadyEnqueued([order])
    isFree = true
  }
  throw new DatabaseError(
    `Task "${order.order.task.name}": the ${key.kind} key "${key.key}" was taken and free again ${ATTEMPTS} times during one enqueue; nothing was written.`,
    'Enqueue it again, or give more keys to so much work.',
  )
}

/** The row that stands in the place of a new one; undefined if its holder keeps the key no more. */
async function standingFor(
  { session, dialect }: InsertTarget,
  { order }: NewOrder,
  key: TaskKey,
  holder: RawRow,
): Promise<RawRow | undefined> {
  // A deadlock has ended the transaction of a caller, and is theirs to try again.
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    session.isJoined ? work() : patiently(work)
  // The row of a slot stands for it for ever, also after a deploy that runs another task at that time.
  if (key.kind === 'slot') return holder
  if (key.kind === 'unique' && !isFinished(holder)) return heldBy(holder, order, key)
  if (key.kind === 'debounce' && holder.status === 'READY') {
    heldBy(holder, order, key)
    const { wait, atMost } = key
    const change = { args_kwargs: order.argsKwargs, wait, atMost }
    if (await ask(() => dialect.postpone(session, holder, change)))
      return (await dialect.byId(session, holder.row_key)) ?? holder
    return undefined
  }
  // Of a throttle the database knows whether its time is over.
  if (await ask(() => dialect.freeKey(session, holder, key))) return undefined
  return key.kind === 'throttle' ? heldBy(holder, order, key) : undefined
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
    `Task "${taskName}": the database takes the unique key "${key}" for "${found && userKey(found)}": the collation of the column unique_key is not exact.`,
    INEXACT_KEYS,
  )
}

function isFinished({ status }: RawRow): boolean {
  return status === 'SUCCESSFUL' || status === 'FAILED'
}

/** @throws DatabaseError if the holder has another key, which the column's collation takes for this one. */
function heldBy(row: RawRow, order: NewOrder['order'], key: TaskKey): RawRow {
  if (row.unique_key !== storedKey(key))
    throw takenForAnother(order.task.name, key.key, row.unique_key)
  assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, order)
  return row
}
