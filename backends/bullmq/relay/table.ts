import type { DataSource, EntityManager } from 'typeorm'
import type { CountQuery, ListQuery, Problem, TaskBackend } from '../../../lib/backend'
import type { Browser, QueueState } from '../../../lib/browser'
import { ListBrowser } from '../../../lib/browsing/list-browser'
import { clock, inTime, NoAnswer } from '../../../lib/clock'
import { isA } from '../../../lib/errors/error-record'
import { DataSourceError, NotSupportedError, ResultNotFoundError } from '../../../lib/errors/errors'
import type { Order } from '../../../lib/order'
import { TaskResult } from '../../../lib/result'
import type { Counts } from '../../../lib/row/record'
import { DatabaseBackend } from '../../database/backend'
import { type KeyedCall, keepersOf } from './waiting/keepers'
import { type Movable, openMovable } from '../../database/moving/movable'
import { type DataSourceOption, placeOf } from '../../database/place'
import { type RawRow, valuesOf } from '../../database/row'
import type { StoreOptions } from '../../../lib/store'
import { asWaiting } from './waiting/as-waiting'
import { waitingProblems } from './waiting/check'
import { isJoining } from './joined'

type Result = TaskResult<unknown>

/** How long in ms a cancel waits for a row that is on its way to Redis, and between two looks. */
const PATIENCE_MS = 20_000
const LOOK_MS = 20
/** How long in ms an enqueue outside of a transaction waits for the database, to learn who has a key. */
const SOON_MS = 1_000

/**
 * The rows of a backend on Redis that wait in the app's database for the relay. Each verb takes the same one of Redis (`ask`): what
 * is in both places is what Redis says.
 */
export class RelayTable {
  readonly #owner: TaskBackend
  readonly #rows: DatabaseBackend
  readonly #option: DataSourceOption

  /** `owner`: the backend on Redis. */
  constructor(owner: TaskBackend, dataSource: DataSourceOption) {
    const { alias, settings } = owner
    this.#owner = owner
    this.#option = dataSource
    this.#rows = new DatabaseBackend(alias, { ...settings, options: { dataSource } }, owner)
  }

  /** Whether these orders, which have the same manager, become rows. @throws InvalidTaskError if the transaction is over. */
  takes(manager: EntityManager | undefined): Promise<boolean> {
    return isJoining(this.#option, this.#owner.alias, manager)
  }

  /** `standing`: what keeps a call from being written, as far as Redis knows. */
  async enqueueMany(
    orders: readonly Order[],
    standing: (order: Order) => Promise<Result | undefined>,
  ): Promise<Result[]> {
    if (!orders.some(isAskedInRedis)) return this.#rows.enqueueMany(orders)
    const found = await Promise.all(
      orders.map(async (each) => isAskedInRedis(each) && standing(each)),
    )
    const written = await this.#rows.enqueueMany(orders.filter((_, i) => !found[i]))
    return found.flatMap((each) => each || (written.shift() ?? []))
  }

  /**
   * Rows that keep calls outside of a transaction from being enqueued. Of a database that is away, or slow, it is not known: the
   * relay finds out as the row moves.
   */
  async standing(orders: readonly Order[]): Promise<ReadonlyMap<Order, Result>> {
    const calls = orders.filter(isAskedInRedis)
    if (calls.length === 0) return new Map()
    const rows = await inTime(this.#keepersOf(calls), SOON_MS).catch((error: unknown) => {
      if (isA(error, NoAnswer) || isA(error, DataSourceError) || this.isAway(error)) return []
      throw error
    })
    return new Map([...rows].map(([order, row]) => [order, this.#duplicate(row)]))
  }

  /** A debounce is one of the rows alone: in Redis a call would postpone what waits there, though the transaction may roll back. */
  debounce(orders: readonly Order[]): Promise<Result[]> {
    return this.#rows.enqueueMany(orders)
  }

  /** It may move between two looks. While Redis is away, a row that waits is known. `ask` also knows what stands for a row. */
  async getResult(
    id: string,
    manager: EntityManager | undefined,
    ask: () => Promise<Result>,
  ): Promise<Result> {
    let failure: unknown
    const inRedis = await ask().catch((error: unknown) => void (failure = error))
    if (inRedis) return inRedis
    const isAbsent = failure instanceof ResultNotFoundError
    if (!isAbsent && !this.#owner.isAway(failure)) throw failure
    const row = await this.#find(id, manager)
    if (row) return asWaiting(this.#owner, row)
    if (isAbsent) return ask()
    throw failure
  }

  async cancel(result: Result, ask: () => Promise<boolean>): Promise<boolean> {
    if (await ask()) return true
    const deadline = clock.now() + PATIENCE_MS
    let hasAsked = false
    while (clock.now() < deadline) {
      const row = await this.#find(result.id)
      // It is in Redis by now, or nowhere.
      if (!row) return ask()
      if (row.isFinished) return hasAsked
      const isMoving = row.status === 'RUNNING'
      // Moving, it is cancelled in Redis, or FAILED when the lease of a lost relay ends.
      if (!isMoving || !hasAsked) hasAsked = await this.#rows.cancel(row)
      if (isMoving) await clock.sleep(LOOK_MS)
    }
    return hasAsked
  }

  async list(query: ListQuery, ask: () => Promise<Result[]>): Promise<Result[]> {
    const [inRedis, rows] = await Promise.all([
      ask(),
      this.#listed({ ...query, everyBackend: false }),
    ])
    const known = new Set(inRedis.map(({ id }) => id))
    const waiting = rows.filter(({ id }) => !known.has(id))
    return [...inRedis, ...waiting.map((row) => asWaiting(this.#owner, row))]
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, query.limit)
  }

  async counts(query: CountQuery, ask: () => Promise<Counts>): Promise<Counts> {
    const [inRedis, inTable] = await Promise.all([
      ask(),
      this.#rows.counts({ ...query, everyBackend: false }),
    ])
    return {
      ...inRedis,
      READY: inRedis.READY + inTable.READY + inTable.RUNNING,
      FAILED: inRedis.FAILED + inTable.FAILED,
      SUCCESSFUL: inRedis.SUCCESSFUL + inTable.SUCCESSFUL,
    }
  }

  /** A row that cannot be moved is FAILED here. */
  async retry(id: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask()
    } catch (error) {
      if (!isA(error, ResultNotFoundError) || !(await this.#find(id))) throw error
      return this.#rows.retry(id)
    }
  }

  /** @throws DataSourceError if there is none. */
  dataSource(): Promise<DataSource> {
    return this.#rows.dataSource()
  }

  /** `hasRelay`: whether this process has a relay, which is about to take what waits. */
  async check(hasRelay: () => boolean): Promise<Problem[]> {
    const problems = await this.#rows.check()
    if (hasRelay() || problems.some(({ level }) => level === 'error')) return problems
    // A look that cannot be had is left out.
    const queues = await this.#queues().catch(() => [])
    return [...problems, ...waitingProblems(this.#owner.alias, queues)]
  }

  /** Of the rows alone. */
  async openBrowser(): Promise<Browser> {
    try {
      return await this.#rows.openBrowser()
    } catch (error) {
      if (error instanceof NotSupportedError) return new ListBrowser(this.#rows)
      throw error
    }
  }

  /** How many rows relays hold at this moment. */
  async held(): Promise<number> {
    return (await this.#rows.counts({ everyBackend: false })).RUNNING
  }

  isAway(error: unknown): boolean {
    return this.#rows.isAway(error)
  }

  /** For the relay. @throws DataSourceError or DatabaseError if the table cannot be used. */
  async open(options: Omit<StoreOptions, 'manager'>): Promise<Movable> {
    return openMovable(await placeOf(this.#option, this.#owner.alias), this.#owner.alias, options)
  }

  async #keepersOf(calls: readonly KeyedCall[]): Promise<ReadonlyMap<Order, RawRow>> {
    const { alias } = this.#owner
    return keepersOf(await placeOf(this.#option, alias), alias, calls)
  }

  #duplicate(row: RawRow): Result {
    return asWaiting(this.#owner, new TaskResult(this.#owner, () => valuesOf(row), undefined, true))
  }

  async #queues(): Promise<readonly QueueState[]> {
    const browser = await this.openBrowser()
    try {
      return await browser.queues()
    } finally {
      await browser.close()
    }
  }

  async #find(id: string, manager?: EntityManager): Promise<Result | undefined> {
    try {
      return await this.#rows.getResult(id, manager)
    } catch (error) {
      if (error instanceof ResultNotFoundError) return undefined
      throw error
    }
  }

  async #listed(query: ListQuery): Promise<Result[]> {
    if (query.status === 'RUNNING') return []
    if (query.status !== 'READY') return this.#rows.list(query)
    const [ready, moving] = await Promise.all([
      this.#rows.list(query),
      this.#rows.list({ ...query, status: 'RUNNING' }),
    ])
    return [...ready, ...moving]
  }
}

/** A debounce is one of the rows alone. */
function isAskedInRedis(order: Order): order is KeyedCall {
  return order.key?.kind === 'unique' || order.key?.kind === 'throttle'
}
