import { dashed, instantOf, utcText } from '../../../entities/formats'
import type { Order } from '../../../lib/order'
import { AlreadyEnqueuedError } from '../../../lib/errors/errors'
import type { Dialect } from '../dialects/dialect'
import { type NewCall, newRow } from '../new-row'
import { sharedValues } from './shared-values'
import type { RawRow } from '../row'
import { type Session, patiently } from '../connections/session'
import { isContention, isTaken, refusedValue } from '../connections/database-errors'

/** An order and the id of its row, as the database spells it. */
export interface NewOrder {
  readonly order: Order
  readonly id: string
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
  readonly id: string
  /** Made on demand: of many rows few are looked at. */
  readonly row: () => RawRow
  /** False where an earlier row stands in its place, which has the same key. */
  readonly isNew: boolean
}

/** The rows of the orders. One with a key is left out if an earlier row has that. */
export async function insert(
  { session, dialect, backendName, idsAreNew, notify, onWritten }: InsertTarget,
  orders: readonly NewOrder[],
): Promise<Written[]> {
  const [first] = orders
  if (!first) return []
  const { key, task } = first.order
  const unlessTaken = key !== null
  const delay = key?.kind === 'debounce' ? key.wait : null
  const shared = sharedValues(first.order, backendName)
  const calls = orders.map(callOf)
  const ask = (): ReturnType<Dialect['insert']> =>
    dialect.insert(session, { shared, calls }, { unlessTaken, delay, idsAreNew, notify, onWritten })
  const enqueuedAt = await ask()
    .catch((error: unknown) => {
      if (session.isJoined || !isContention(error)) throw error
      return patiently(ask)
    })
    .catch((error: unknown) => {
      if (!isTaken(error)) throw refusedValue(error, task.name)
      // MariaDB refuses the row after all where its key was freed and taken again during the statement.
      if (unlessTaken) return () => undefined
      throw alreadyEnqueued(orders, error)
    })
  const written: Written[] = []
  for (const call of calls) {
    const at = enqueuedAt(call.row_key)
    if (at === undefined && unlessTaken) continue
    // Written, though it is gone already where there is no instant.
    const row = (): RawRow => delayed(newRow(call, shared, at ?? utcText(new Date())), delay)
    written.push({ id: call.row_key, row, isNew: true })
  }
  return written
}

function callOf({ order: { argsKwargs, flow }, id }: NewOrder): NewCall {
  const call = { row_key: id, args_kwargs: argsKwargs }
  return flow ? { ...call, unique_key: flow.key } : call
}

/** Both instants are of the same statement. */
function delayed(row: RawRow, delay: number | null): RawRow {
  if (delay === null) return row
  const enqueuedAt = instantOf(row.enqueued_at ?? '')?.getTime() ?? 0
  return { ...row, run_after: utcText(new Date(enqueuedAt + delay)) }
}

export function alreadyEnqueued(
  orders: readonly NewOrder[],
  cause?: unknown,
): AlreadyEnqueuedError {
  return new AlreadyEnqueuedError(
    orders[0]?.order.task.name ?? '',
    orders.map(({ id }) => dashed(id)),
    { cause },
  )
}
