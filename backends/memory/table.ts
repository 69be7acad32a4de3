import { dashed } from '../../entities/formats'
import type { CountQuery, ListQuery } from '../../lib/backend'
import type { Order } from '../../lib/order'
import { ResultNotFoundError } from '../../lib/errors/errors'
import { TaskCancelled } from '../../lib/errors/run-errors'
import { recordOf } from '../../lib/errors/error-record'
import type { Counts, TaskStatus } from '../../lib/row/record'
import type { Wakeup } from '../../lib/store'
import {
  enqueuedKeyOf,
  PARKED,
  sharedValues,
  UNDELAYED,
} from '../database/enqueueing/shared-values'
import { newRow } from '../database/new-row'
import { valuesOf } from '../database/row'
import { newId } from '../ids'
import { notFailed } from '../not-failed'
import { assertHolds, keyTaken, scheduleOf, storedKey } from '../keys'
import { end, instantText, keeps, type MemoryRow, postpone, retry } from './row'

/** The rows of one or several backends, in this process. */
export class MemoryTable {
  /** By their ids, in the order in which they were added. */
  readonly rows = new Map<string, MemoryRow>()
  /** How often a row has come to wait, or its time has changed. */
  changes = 0
  readonly #now: () => number
  readonly #listeners = new Set<(wakeup: Wakeup) => void>()
  /** The members of sets of flows. */
  readonly #sets = new Map<string, MemoryRow[]>()

  /** `now` gives the instants that are stored, in ms since 1970. Leases go by the library's clock instead. */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  now(): number {
    return this.#now()
  }

  /** Writes a new row, whatever its key. */
  add(order: Order, alias: string, id = newId()): MemoryRow {
    const { task, argsKwargs, key, flow } = order
    const call = { row_key: id, args_kwargs: argsKwargs, ...(flow && { unique_key: flow.key }) }
    const shared = sharedValues(order, alias)
    const row = newRow(call, shared, instantText(this.now()))
    const added: MemoryRow = { ...row, leaseEnds: null }
    if (key?.kind === 'debounce') added.run_after = instantText(this.now() + key.wait)
    this.rows.set(row.row_key, added)
    this.changes += 1
    if (flow?.member) this.#join(flow.member.set, added)
    if (isDue(added, this.now())) this.tell({ what: 'ready', queue: task.queueName })
    return added
  }

  /**
   * The row that stands in the place of a new one, as the key of the order has it; of a debounce it gets the new arguments.
   *
   * @throws ResultMismatchError if it is of another task.
   */
  standingFor(order: Order): MemoryRow | undefined {
    const { key } = order
    const holder = this.holderOf(order)
    if (!key || !holder) return undefined
    if (key.kind === 'slot') return holder
    if (!keeps(holder, key, this.now())) {
      holder.unique_key = null
      return undefined
    }
    this.changes += 1
    assertHolds({ id: dashed(holder.row_key), taskName: holder.task_path ?? '' }, order)
    if (key.kind === 'debounce') postpone(holder, order.argsKwargs, key, this.now())
    return holder
  }

  /** The row that has the key of the order. */
  holderOf({ key }: Order): MemoryRow | undefined {
    return key ? this.#byUniqueKey(storedKey(key) ?? '') : undefined
  }

  /** @throws ResultNotFoundError for an id that is not here. */
  get(id: string): MemoryRow {
    const row = this.rows.get(dashed(String(id)))
    if (!row) throw new ResultNotFoundError(String(id))
    return row
  }

  /** A row that waits is FAILED at once; the worker of one that runs is asked to stop. */
  cancel(id: string): void {
    const row = this.rows.get(id)
    if (row?.status === 'READY') end(row, 'FAILED', recordOf(new TaskCancelled()), this.now())
    if (row?.status !== 'RUNNING' || row.lease_until === null) return
    row.cancel_requested_at = instantText(this.now())
    this.tell({ what: 'cancel', key: row.row_key })
  }

  /** @throws ResultNotFoundError for an id that is not here; NotSupportedError unless the row is FAILED, or if another one has its unique key. */
  retry(id: string): MemoryRow {
    const row = this.get(id)
    const { row_key: key, task_path: path, status } = row
    if (status !== 'FAILED') throw notFailed(dashed(key), path ?? '', status as TaskStatus)
    const uniqueKey = row.unique_key ?? enqueuedKeyOf(JSON.parse(row.options ?? 'null'))
    const holder = uniqueKey === null ? undefined : this.#byUniqueKey(uniqueKey)
    if (holder && holder !== row && uniqueKey !== null)
      throw keyTaken(valuesOf(row), valuesOf(holder))
    retry(row)
    row.unique_key = uniqueKey
    this.tell({ what: 'ready', queue: row.queue_name ?? '' })
    return row
  }

  /** Rows of a backend, the newest first. */
  list(alias: string, query: ListQuery): MemoryRow[] {
    return this.#wanted(alias, query)
      .filter((row) => isOf(row, query.status))
      .slice(0, query.limit)
  }

  counts(alias: string, query: CountQuery): Counts {
    const counts = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, WAITING: 0 }
    for (const row of this.#wanted(alias, query))
      counts[isParked(row) ? 'WAITING' : (row.status as TaskStatus)] += 1
    return counts
  }

  /** The newest first: ids are in the order of time. */
  #wanted(alias: string, query: CountQuery): MemoryRow[] {
    const { taskName, everyBackend, within } = query
    const before = query.before === undefined ? undefined : this.get(query.before).row_key
    return [...this.rows.values()]
      .filter((row) => before === undefined || row.row_key < before)
      .toSorted((a, b) => (a.row_key < b.row_key ? 1 : -1))
      .slice(0, within || undefined)
      .filter((row) => everyBackend || row.backend_name === alias)
      .filter((row) => taskName === undefined || row.task_path === taskName)
      .filter((row) => isInQueues(row, query))
  }

  /** In the order in which they were added. */
  membersOf(set: string): MemoryRow[] {
    return this.#sets.get(set) ?? []
  }

  /** Calls `hear` with what happens to rows; the function it gives back ends that. */
  listen(hear: (wakeup: Wakeup) => void): () => void {
    this.#listeners.add(hear)
    return () => void this.#listeners.delete(hear)
  }

  /** Nothing waits for these sets any more. */
  forgetSets(sets: readonly string[]): void {
    for (const set of sets) this.#sets.delete(set)
  }

  /** The row with the greatest key among those of the slots of a schedule. */
  newestSlot(schedule: string): MemoryRow | undefined {
    return [...this.rows.values()]
      .filter((row) => scheduleOf(row.unique_key) === schedule)
      .toSorted((a, b) => ((a.unique_key ?? '') < (b.unique_key ?? '') ? 1 : -1))[0]
  }

  #join(set: string, row: MemoryRow): void {
    const members = this.#sets.get(set)
    if (members) members.push(row)
    else this.#sets.set(set, [row])
  }

  #byUniqueKey(key: string): MemoryRow | undefined {
    return [...this.rows.values()].find((row) => row.unique_key === key)
  }

  tell(wakeup: Wakeup): void {
    if (wakeup.what === 'ready') this.changes += 1
    for (const hear of this.#listeners) hear(wakeup)
  }
}

/** Whether the row waits for others. */
function isParked({ status, run_after: runAfter }: MemoryRow): boolean {
  return status === 'READY' && runAfter === PARKED
}

/** Whether the time of a waiting row has come. */
export function isDue(row: MemoryRow, now: number): boolean {
  return isDueAt(row, instantText(now))
}

/** As `isDue`, where `now` is an instant as rows hold it. */
export function isDueAt({ run_after: runAfter }: MemoryRow, now: string): boolean {
  return runAfter === UNDELAYED || (runAfter !== null && runAfter <= now)
}

/** Whether the row is in the queues that somebody asks about; where those are named, no others are left out. */
export function isInQueues(
  { queue_name: queue }: MemoryRow,
  { queues = null, excludeQueues = [] }: CountQuery,
): boolean {
  if (queues !== null) return queue !== null && queues.includes(queue)
  return queue === null ? excludeQueues.length === 0 : !excludeQueues.includes(queue)
}

function isOf(row: MemoryRow, status: ListQuery['status']): boolean {
  if (status === 'WAITING') return isParked(row)
  return status === undefined || row.status === status
}
