import { utcText } from '../../../entities/formats'
import type { Order } from '../../../lib/order'
import { sharedValues, UNDELAYED } from '../../database/enqueueing/shared-values'
import type { NewOrder } from '../../database/enqueueing/insert'
import { newRow, type SharedValues } from '../../database/new-row'
import type { RawRow } from '../../database/row'
import { storedKey, wholeOptions } from '../../keys'
import { dataOf } from '../job'
import { bullPriority, type Names } from '../names'

const DAY_MS = 86_400_000

/**
 * How long a key stays at most, in ms. With a time BullMQ leaves it alone, which otherwise takes the key of a job in another queue
 * for one that was left over. Keys of slots are as many as slots: none is asked for once it is so old.
 */
export const KEY_MS = { slot: 32 * DAY_MS, others: 3_650 * DAY_MS }

/** A job before it is written. */
export interface NewJob {
  readonly id: string
  /** BullMQ's name of its queue. */
  readonly queue: string
  readonly order: Order
  /** Its unique key, as it is stored. */
  readonly key: string | null
  /** What BullMQ's scripts take. */
  readonly json: {
    readonly id: string
    readonly name: string
    readonly data: string
    readonly timestamp: number
    readonly opts: object
    readonly deduplicationId?: string
  }
  /** The job as a row, once it is written. */
  readonly row: () => RawRow
}

/** What adding one needs. */
export type BareJob = Pick<NewJob, 'id' | 'queue' | 'key' | 'json'>

/** Jobs of orders. `now`: of this process, in ms since 1970, as BullMQ has its own. */
export function newJobs(
  names: Names,
  orders: readonly NewOrder[],
  { alias, now }: { readonly alias: string; readonly now: number },
): NewJob[] {
  let last: { readonly order: Order; readonly shared: SharedValues } | undefined
  return orders.map((each) => {
    const { order } = each
    const shared = last && isAlike(last.order, order) ? last.shared : sharedValues(order, alias)
    last = { order, shared }
    return jobOf(names, each, shared, now)
  })
}

export function newJobOf(
  names: Names,
  each: NewOrder,
  { alias, now }: { readonly alias: string; readonly now: number },
): NewJob {
  return jobOf(names, each, sharedValues(each.order, alias), now)
}

/** Whether what rows of both share is the same: it is read once for all calls of an `enqueueMany` (measured: a tenth of its time). */
function isAlike(one: Order, other: Order): boolean {
  return (
    one.task === other.task &&
    one.key === null &&
    other.key === null &&
    one.flow === other.flow &&
    one.slot === other.slot &&
    one.trace === other.trace
  )
}

function jobOf(names: Names, { order, id }: NewOrder, shared: SharedValues, now: number): NewJob {
  const { task, argsKwargs } = order
  const key = storedKey(order.key)
  const delay = delayOf(order, now)
  // A claim reads no fields of ours, and learns all of its flow from this.
  const data = dataOf(argsKwargs, wholeOptions(shared.options, order.flow?.key ?? null))
  const json = { id, name: task.name, data, timestamp: now, opts: optsOf(order, key, delay) }
  return {
    id,
    queue: names.queueFor(task.queueName, task.priority),
    order,
    key,
    json: key === null ? json : { ...json, deduplicationId: key },
    row: () => ({
      ...newRow({ row_key: id, args_kwargs: argsKwargs }, shared, utcText(new Date(now))),
      run_after: delay === 0 ? UNDELAYED : utcText(new Date(now + delay)),
    }),
  }
}

/** Options of a job that has none of its own, always this object. Attempts are counted by this library. */
export const PLAIN = Object.freeze({ attempts: 1 })

function optsOf(order: Order, key: string | null, delay: number): object {
  const priority = bullPriority(order.task.priority)
  if (delay === 0 && priority === 0 && key === null) return PLAIN
  return {
    ...PLAIN,
    ...(delay !== 0 && { delay }),
    ...(priority > 0 && { priority }),
    ...(key !== null && { deduplication: { id: key, ttl: keptMs(order) } }),
  }
}

/** Milliseconds, below 0 for a time that is past: BullMQ keeps it, and has the job wait no longer. */
function delayOf({ task: { runAfter }, key }: Order, now: number): number {
  if (key?.kind === 'debounce') return Math.max(1, Math.round(key.wait))
  return runAfter === null ? 0 : runAfter.getTime() - now || -1
}

function keptMs({ key }: Order): number {
  return key?.kind === 'slot' ? KEY_MS.slot : KEY_MS.others
}
