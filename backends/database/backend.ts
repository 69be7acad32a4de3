import type { DataSource, EntityManager } from 'typeorm'
import type { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, hexOf } from '../../entities/formats'
import {
  type BackendSettings,
  type CountQuery,
  type ListQuery,
  type Problem,
  TaskBackend,
} from '../../lib/backend'
import type { Order } from '../../lib/order'
import type { Browser, Pause, PauseOptions } from '../../lib/browser'
import { OneClass } from '../../lib/copies/one-per-process'
import { ResultNotFoundError } from '../../lib/errors/errors'
import { heard } from '../../lib/events/logger'
import type { FlowPlan } from '../../lib/row/flow-parts'
import type { Counts } from '../../lib/row/record'
import type { KeepResults } from '../../lib/retention'
import { TaskResult } from '../../lib/result'
import { assertPausable, pauseOptionsOf } from '../../lib/settings/pause-options'
import { validateShape } from '../../lib/settings/validation'
import { taskEnqueued } from '../../lib/events/signals'
import { logEnqueued } from '../../lib/events/task-log'
import type { SlotRow } from '../../lib/row/slot'
import type { Outcome, Store, StoreOptions } from '../../lib/store'
import { assertId, isUuid, newId } from '../ids'
import { retentionOf } from '../lease-options'
import { countAhead } from './browsing/ahead'
import { type Browsed, countRows, listRows } from './browse'
import { checkDatabase } from './checks/check'
import { completeInTransaction } from './complete-in-transaction'
import { dbResultOf, rawOf } from './row-to-entity'
import { DatabaseOptions } from './options'
import { dataSourceOf, expectDataSource, joinedPlaceOf, type Place, placeOf } from './place'
import { type RawRow, valuesOf } from './row'
import { Session } from './connections/session'
import { openStoreOn } from './open-store'
import type { Table } from './table'
import { explained, isAway } from './connections/database-errors'
import type { NewOrder, Written } from './enqueueing/insert'
import type * as browsing from './browsing/open-browser'
import type * as flows from './flows/flow-orders'
import { cancelStep } from './flows/cancel'
import { retryStep } from './flows/retry'
import { type Pauses, pausesOf } from './queues/pauses'
import { newestSlot } from './enqueueing/slots'
import { writeAndTell } from './enqueueing/tell-written'

/** The app's own database as the queue: one table, written in the caller's transaction. */
@OneClass('DatabaseBackend')
export class DatabaseBackend extends TaskBackend {
  override readonly supportsDefer = true
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  override readonly supportsTransactions = true
  override readonly retention: KeepResults | null
  readonly #options: DatabaseOptions
  readonly #notifies: boolean
  readonly #owner: TaskBackend

  /** `owner`: the backend of the same alias for which this one keeps rows, which its results ask when they are read anew. */
  constructor(alias: string, settings: BackendSettings, owner?: TaskBackend) {
    super(alias, settings)
    this.#owner = owner ?? this
    const path = `TASKS.${alias}.OPTIONS`
    this.#options = validateShape(DatabaseOptions, settings.options, path)
    this.#notifies = this.#options.notify ?? true
    this.retention = retentionOf(this.#options, path)
    expectDataSource(this.#options.dataSource, alias)
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    return (await this.enqueueMany([order]))[0] as TaskResult<unknown>
  }

  /** One statement for as many orders as fit into one; several in one transaction. All have the same manager. */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    return this.#write(orders, (table) =>
      orders.map((order) => ({ order, id: this.#newKey(table) })),
    )
  }

  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    const orders = plan.rows.map(({ order }) => order)
    return this.#write(orders, (table) => {
      const { flowOrders } = require('./flows/flow-orders') as typeof flows
      return flowOrders(plan, () => this.#newKey(table))
    })
  }

  /** Writes rows for the orders. `withIds` gives them as they are written. */
  async #write(
    orders: readonly Order[],
    withIds: (table: Table) => readonly NewOrder[],
  ): Promise<TaskResult<unknown>[]> {
    const [first] = orders
    if (!first) return []
    const idsAreNew = this.#options.idFunction === undefined
    return this.#inTable(first.task.manager, async (place, session) => {
      const writing = { backendName: this.alias, idsAreNew, notifies: this.#notifies }
      const written = await writeAndTell(place, session, withIds(place.table), writing)
      return written.map((each, i) =>
        this.#written(each, (orders[i] ?? first).task.name, place.dataSource),
      )
    })
  }

  override async getResult(id: string, manager?: EntityManager): Promise<TaskResult<unknown>> {
    if (typeof id !== 'string' || !isUuid(dashed(id))) throw new ResultNotFoundError(String(id))
    return this.#inTable(manager, async ({ table, dialect, dataSource }, session) => {
      const row = await dialect.byId(session, table.hexIds ? hexOf(id) : dashed(id))
      if (!row) throw new ResultNotFoundError(id)
      return this.#result(() => row, dataSource)
    })
  }

  /** A waiting row is FAILED at once; a running one as soon as its worker, in any process, is notified or renews its lease. */
  override async cancel({ id }: TaskResult<unknown>): Promise<boolean> {
    const asking = { alias: this.alias, notifies: this.#notifies }
    return this.#inTable(undefined, (place, session) => cancelStep(place, session, id, asking))
  }

  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    return this.#browse(async (browsed) =>
      (await listRows(browsed, this.alias, query)).map((row) => this.#resultOf(row, browsed)),
    )
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    return this.#inTable(undefined, async (place, session) =>
      this.#resultOf(await retryStep(place, session, this.alias, String(id)), place),
    )
  }

  override async counts(query: CountQuery = {}): Promise<Counts> {
    return this.#browse((browsed) => countRows(browsed, this.alias, query))
  }

  /** On connections of its own, two at most. A table that Django made has no history. */
  override async openBrowser(): Promise<Browser> {
    const { openBrowserOn } = require('./browsing/open-browser') as typeof browsing
    return openBrowserOn(await this.#place(), this, this.#options)
  }

  override async pauseQueue(name: string, options: PauseOptions = {}): Promise<Pause> {
    const checked = pauseOptionsOf(this, name, options)
    return this.#pausing(name, (pauses, session) =>
      pauses.pause(session, name, checked, this.#notifies),
    )
  }

  override async resumeQueue(name: string): Promise<boolean> {
    assertPausable(this, name)
    return this.#pausing(name, (pauses, session) => pauses.resume(session, name, this.#notifies))
  }

  override async pausedQueues(): Promise<readonly Pause[]> {
    return this.#inTable(undefined, (place, session) => pausesOf(place, this.alias).active(session))
  }

  override async ahead(result: TaskResult<unknown>): Promise<number | null> {
    return this.#inTable(undefined, (place, session) => countAhead(place, session, result))
  }

  override async now(): Promise<Date> {
    return this.#inTable(undefined, ({ dialect }, session) => dialect.now(session))
  }

  override async newestSlot(schedule: string): Promise<SlotRow | null> {
    return this.#browse(({ manager }) => newestSlot(manager, schedule))
  }

  override async check(): Promise<Problem[]> {
    return checkDatabase(() => this.dataSource())
  }

  override isAway(error: unknown): boolean {
    return isAway(error)
  }

  override async openStore(options: StoreOptions): Promise<Store> {
    return openStoreOn(await this.#place(), this.alias, this.#options, options)
  }

  override async completeInTransaction(
    work: (manager: EntityManager) => Promise<Outcome>,
    within?: EntityManager,
  ): Promise<void> {
    await completeInTransaction(await this.#place(), work, within)
  }

  /** The app's DataSource. @throws DataSourceError if there is none. */
  override dataSource(): Promise<DataSource> {
    return dataSourceOf(this.#options.dataSource, this.alias)
  }

  async #inTable<T>(
    explicit: EntityManager | undefined,
    work: (place: Place, session: Session) => Promise<T>,
  ): Promise<T> {
    const { place, manager } = await joinedPlaceOf(this.#options.dataSource, this.alias, explicit)
    const session = Session.of(manager, place.dataSource)
    try {
      return await work(place, session)
    } catch (error) {
      throw explained(error, place.table.name)
    }
  }

  /** Tells workers of what `work` has done. */
  #pausing<T>(queue: string, work: (pauses: Pauses, session: Session) => Promise<T>): Promise<T> {
    return this.#inTable(undefined, async (place, session) => {
      const done = await work(pausesOf(place, this.alias), session)
      place.wakeups.tell({ what: 'pause', queue }, session, this.#notifies)
      return done
    })
  }

  #place(): Promise<Place> {
    return placeOf(this.#options.dataSource, this.alias)
  }

  #browse<T>(work: (browsed: Browsed) => Promise<T>): Promise<T> {
    return this.#inTable(undefined, ({ table, dataSource }, { manager }) =>
      work({ manager, table, dataSource }),
    )
  }

  #resultOf(row: DBTaskResult, { table }: Pick<Browsed, 'table'>): TaskResult<unknown> {
    const values = (): ReturnType<typeof valuesOf> => valuesOf(rawOf(row, table.hexIds))
    return new TaskResult(this.#owner, values, () => row)
  }

  #newKey({ hexIds }: Table): string {
    const { idFunction } = this.#options
    const id = idFunction ? assertId(idFunction(), this.alias) : newId()
    return hexIds ? id.replaceAll('-', '') : id
  }

  #result(row: () => RawRow, dataSource: DataSource, isDuplicate = false): TaskResult<unknown> {
    return new TaskResult(
      this.#owner,
      () => valuesOf(row()),
      () => dbResultOf(row(), dataSource),
      isDuplicate,
    )
  }

  #written(
    { id, row, isNew }: Written,
    taskName: string,
    dataSource: DataSource,
  ): TaskResult<unknown> {
    const result = this.#result(row, dataSource, !isNew)
    if (!isNew) return result
    if (heard.debug) logEnqueued({ id: dashed(id), taskName, backend: this.alias })
    if (taskEnqueued.isHeard) taskEnqueued.send({ backend: this.#owner, result })
    return result
  }
}
