import type { DataSource, EntityManager } from 'typeorm'
import type { BackendSettings, CountQuery, ListQuery, Problem } from '../../../lib/backend'
import type { Browser } from '../../../lib/browser'
import { inTime, NoAnswer } from '../../../lib/clock'
import { OneClass } from '../../../lib/copies/one-per-process'
import { isA } from '../../../lib/errors/error-record'
import {
  InvalidSettingsError,
  InvalidTaskError,
  NotSupportedError,
  ResultNotFoundError,
} from '../../../lib/errors/errors'
import type { Order } from '../../../lib/order'
import { TaskResult } from '../../../lib/result'
import { keptFor, shortestOf } from '../../../lib/retention'
import type { FlowPlan } from '../../../lib/row/flow-parts'
import type { Counts } from '../../../lib/row/record'
import type { Store, StoreOptions, Wakeup } from '../../../lib/store'
import type { Task } from '../../../lib/task-type'
import { valuesOf } from '../../database/row'
import { RedisBackend } from '../backend'
import { isAway } from '../clients/away'
import { Moves } from './moves'
import { enqueueOutside } from './outside'
import { Relay, RELAY_LEASE_SECONDS } from './relay'
import type { RunningRelay } from './running-relay'
import type * as relayTable from './table'
import { standingIn, standsFor } from './stands-for'
import { withWaiting } from './waiting/queues'
import { withRelay } from './with-relay'

const HOUR_MS = 60 * 60_000
/** Time in ms for which an enqueue in a transaction waits for Redis, to learn who has a key. */
const PATIENCE_MS = 1_000

/**
 * Redis as the queue. With `OPTIONS.dataSource` an enqueue in a transaction of that database is a row of it, which the relay takes
 * to Redis once it is committed.
 */
@OneClass('BullMQBackend')
export class BullMQBackend extends RedisBackend {
  override readonly joinsTransactions: boolean
  readonly #table: relayTable.RelayTable | undefined
  #hasRelay = false

  constructor(alias: string, settings: BackendSettings) {
    super(alias, settings)
    const { dataSource } = this.options
    this.joinsTransactions = dataSource !== undefined
    if (dataSource === undefined) return
    this.#assertKept()
    const { RelayTable } = require('./table') as typeof relayTable
    this.#table = new RelayTable(this, dataSource)
  }

  override async enqueue(order: Order): Promise<TaskResult<unknown>> {
    if (!this.#table) return super.enqueue(order)
    const isJoining = await this.#takes([order])
    if (!isJoining && order.key === null) return super.enqueue(order)
    const [result] = await (isJoining ? this.#enqueueRows([order]) : this.#enqueueKeyed([order]))
    return result as TaskResult<unknown>
  }

  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    if (!this.#table) return super.enqueueMany(orders)
    if (await this.#takes(orders)) return this.#enqueueRows(orders)
    const isKeyed = orders.some(({ key }) => key !== null)
    return isKeyed ? this.#enqueueKeyed(orders) : super.enqueueMany(orders)
  }

  /** @throws NotSupportedError in a transaction. */
  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    if (!(await this.#takes(plan.rows.map(({ order }) => order)))) return super.enqueueFlow(plan)
    throw new NotSupportedError(
      `${this.constructor.name} (TASKS.${this.alias}) cannot enqueue a flow in a transaction: its tasks go to Redis at once, and would run even if that rolls back.`,
      'Enqueue it after the commit, or in a task that is enqueued in the transaction; or use the Database backend.',
    )
  }

  override getResult(id: string, manager?: EntityManager): Promise<TaskResult<unknown>> {
    const ask = (): Promise<TaskResult<unknown>> => this.#resultOf(id)
    return this.#table ? this.#table.getResult(id, manager, ask) : ask()
  }

  override cancel(result: TaskResult<unknown>): Promise<boolean> {
    const ask = (): Promise<boolean> => super.cancel(result)
    return this.#table ? this.#table.cancel(result, ask) : ask()
  }

  override list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    const ask = (): Promise<TaskResult<unknown>[]> => super.list(query)
    return this.#table ? this.#table.list(query, ask) : ask()
  }

  override counts(query: CountQuery = {}): Promise<Counts> {
    const ask = (): Promise<Counts> => super.counts(query)
    return this.#table ? this.#table.counts(query, ask) : ask()
  }

  override retry(id: string): Promise<TaskResult<unknown>> {
    const ask = (): Promise<TaskResult<unknown>> => super.retry(id)
    return this.#table ? this.#table.retry(id, ask) : ask()
  }

  override async dataSource(): Promise<DataSource | undefined> {
    return this.#table?.dataSource()
  }

  override async check(): Promise<Problem[]> {
    const [ofRedis, ofTable] = await Promise.all([
      super.check(),
      this.#table?.check(() => this.#hasRelay) ?? [],
    ])
    return [...ofRedis, ...ofTable]
  }

  override async openBrowser(): Promise<Browser> {
    const browser = await super.openBrowser()
    const table = this.#table
    return table ? withWaiting(browser, () => table.openBrowser()) : browser
  }

  override isAway(error: unknown): boolean {
    return super.isAway(error) || (this.#table?.isAway(error) ?? false)
  }

  /** With the relay as a chore; not in the transaction of a test. */
  override async openStore(options: StoreOptions): Promise<Store> {
    const store = await super.openStore(options)
    return this.#table && !options.manager ? withRelay(store, this.relay(options.wakeup)) : store
  }

  /**
   * What takes rows to Redis, where a worker does not. `wakeup`: told of what is there.
   *
   * @throws InvalidSettingsError without `OPTIONS.dataSource`.
   */
  relay(wakeup?: (wakeup: Wakeup) => void): RunningRelay {
    const table = this.#rows
    const { alias } = this
    this.#hasRelay = true
    return new Relay({
      alias,
      queues: this.settings.queues,
      open: (wakeup) => table.open({ leaseSeconds: RELAY_LEASE_SECONDS, wakeup }),
      held: () => table.held(),
      moves: new Moves((work) => this.within(work), alias, wakeup),
    })
  }

  override validate(task: Task<unknown[], unknown>): void {
    super.validate(task)
    if (!this.#table) return
    const keptMs = shortestOf(keptFor(task.keepResults, this.retention))
    if (keptMs !== undefined && keptMs < HOUR_MS)
      throw new InvalidTaskError(
        `Task "${task.name}": keepResults is ${keptMs} ms, and TASKS.${this.alias} has a dataSource, with which results are kept for an hour at least: the relay may add a task twice, which Redis ignores as long as it has the first one.`,
        'Keep its results for 3600000 ms or more, or leave OPTIONS.dataSource out.',
      )
  }

  /** Redis is not needed: where it is away, the relay finds out later who has a key. */
  #enqueueRows(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    return this.#rows.enqueueMany(orders, async (order) => {
      const asked = this.within((connection) => standingIn(connection, order, this.alias))
      const row = await inTime(asked, PATIENCE_MS).catch((error: unknown) => {
        if (isAway(error) || isA(error, NoAnswer)) return undefined
        throw error
      })
      return row && new TaskResult(this, () => valuesOf(row), undefined, true)
    })
  }

  #enqueueKeyed(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    return enqueueOutside(this.#rows, orders, async (left, part) => {
      const [only] = orders
      return only && orders.length === 1
        ? [await super.enqueue(only)]
        : super.enqueuePart(left, part)
    })
  }

  /** With a relay, another job may stand for a row that has not become one. */
  async #resultOf(id: string): Promise<TaskResult<unknown>> {
    try {
      return await super.getResult(id)
    } catch (error) {
      if (!this.#table || !isA(error, ResultNotFoundError)) throw error
      const other = await this.within((connection) => standsFor(connection, id))
      if (other === undefined) throw error
      return super.getResult(other)
    }
  }

  get #rows(): relayTable.RelayTable {
    if (this.#table) return this.#table
    throw new InvalidSettingsError(
      `TASKS.${this.alias} has no dataSource in its OPTIONS, so there is nothing to relay.`,
      'Add the DataSource of the app: OPTIONS: { connection, dataSource }.',
    )
  }

  async #takes([first]: readonly Order[]): Promise<boolean> {
    return (this.#table && first && (await this.#table.takes(first.task.manager))) ?? false
  }

  /** @throws InvalidSettingsError */
  #assertKept(): void {
    const keptMs = shortestOf(keptFor(undefined, this.retention))
    if (keptMs === undefined || keptMs >= HOUR_MS) return
    throw new InvalidSettingsError(
      `TASKS.${this.alias}.OPTIONS.keepResults: with dataSource results are kept for an hour at least, got ${keptMs} ms: the relay may add a task twice, which Redis ignores as long as it has the first one.`,
      'Give 3600000 or more.',
    )
  }
}
