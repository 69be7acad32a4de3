import type { DataSource, EntityManager } from 'typeorm'
import type { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, hexOf } from '../../entities/formats'
import {
  type BackendSettings,
  type CountQuery,
  type ListQuery,
  type Order,
  type Problem,
  TaskBackend,
} from '../../lib/backend'
import { ResultNotFoundError } from '../../lib/errors/errors'
import { TaskCancelled } from '../../lib/errors/run-errors'
import { recordOf } from '../../lib/errors/error-record'
import { inTime } from '../../lib/timeout'
import { isHeard } from '../../lib/events/logger'
import type { Counts } from '../../lib/record'
import { TaskResult } from '../../lib/result'
import { validateShape } from '../../lib/settings/validation'
import { taskEnqueued } from '../../lib/events/signals'
import { logEnqueued } from '../../lib/events/task-log'
import type { Outcome, Store, StoreOptions } from '../../lib/store'
import { IsOptional, ValidateBy } from '../../lib/tasks/class-validator'
import { assertId, isUuid, newId } from '../ids'
import { LeaseOptions } from '../lease-options'
import { openBookkeeping } from './connections/worker-connections'
import { assertUsable, checkDatabase } from './checks/check'
import { completeInTransaction } from './complete-in-transaction'
import { type DataSourceOption, dataSourceOf } from './connections/data-source'
import { type Dialect } from './dialects/dialect'
import { dialectFor } from './dialects/dialect-for'
import { type Browsed, listRows, retryRow } from './browse'
import { dbResultOf, rawOf } from './row-to-entity'
import { hearInProcess, isDueToTell, listenerOn, tellInProcess } from './notifications'
import { type RawRow, valuesOf } from './row'
import { Session } from './connections/session'
import { DatabaseStore } from './store'
import { type Table, tableOf } from './table'
import { managerFor } from './ambient-transaction'
import { explained, unreachable } from './connections/database-errors'
import { type Written, writeOrders } from './insert'

/** Milliseconds for the checks before a worker starts; they may have to wait for locks of other sessions. */
const CHECKING = 40_000
/** Milliseconds. */
const CLOSING = 3_000

const isFunction = ValidateBy({
  name: 'isFunction',
  validator: {
    validate: (value) => typeof value === 'function',
    defaultMessage: () => 'a function that gives a UUID',
  },
})

/** `TASKS.….OPTIONS` of the Database backend. */
export class DatabaseOptions extends LeaseOptions {
  /** A DataSource, or a function giving one; absent: the one that the command line's file exports. */
  @IsOptional()
  dataSource?: DataSourceOption

  /** Gives the id of a new row, a UUID of any version. Default: version 7, which sorts by time. */
  @IsOptional()
  @isFunction
  idFunction?: () => string
}

/** The app's own database as the queue: one table, written in the caller's transaction. */
export class DatabaseBackend extends TaskBackend {
  override readonly supportsDefer = true
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  override readonly supportsTransactions = true
  readonly #options: DatabaseOptions

  constructor(alias: string, settings: BackendSettings) {
    super(alias, settings)
    this.#options = validateShape(DatabaseOptions, settings.options, `TASKS.${alias}.OPTIONS`)
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const [result] = await this.enqueueMany([order])
    return result as TaskResult<unknown>
  }

  /** Writes as many orders with one statement as fit into one; several statements are one transaction. All orders are of one task. */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const [first] = orders
    if (!first) return []
    return this.#inTable(first.task.manager, async ({ session, table, dialect, dataSource }) => {
      const keyed = orders.map((order) => ({ order, key: this.#newKey(table) }))
      const { queueName } = first.task
      const isTold = isDueNow(first) && isDueToTell(dataSource, session.isInTransaction, queueName)
      const written = await writeOrders(
        { session, dialect, backendName: this.alias, tells: isTold },
        keyed,
      )
      // Inside a transaction the row cannot be seen yet.
      if (isTold && !session.isInTransaction)
        tellInProcess(dataSource, { what: 'ready', queue: queueName })
      return written.map((each) => this.#written(each, first.task.name, dataSource))
    })
  }

  override async getResult(id: string, manager?: EntityManager): Promise<TaskResult<unknown>> {
    if (typeof id !== 'string' || !isUuid(dashed(id))) throw new ResultNotFoundError(String(id))
    return this.#inTable(manager, async ({ session, table, dialect, dataSource }) => {
      const row = await dialect.byId(session, table.hexIds ? hexOf(id) : dashed(id))
      if (!row) throw new ResultNotFoundError(id)
      return this.#result(() => row, dataSource)
    })
  }

  /** A waiting row is FAILED at once. A running one is FAILED as soon as its worker hears of it or renews its lease. */
  override async cancel({ id }: TaskResult<unknown>): Promise<void> {
    await this.#inTable(undefined, async ({ session, table, dialect, dataSource }) => {
      const key = table.hexIds ? hexOf(id) : id
      // The row may be claimed, or given back, between the two statements: then the second round finds it.
      for (let look = 0; look < 2; look++) {
        if ((await dialect.cancelReady(session, key, recordOf(new TaskCancelled()))) > 0) return
        if ((await dialect.requestCancel(session, key)) > 0)
          return tellInProcess(dataSource, { what: 'cancel', key })
      }
    })
  }

  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    return this.#browse(async (browsed) =>
      (await listRows(browsed, this.alias, query)).map((row) => this.#resultOf(row, browsed)),
    )
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    return this.#browse(async (browsed) =>
      this.#resultOf(await retryRow(browsed, String(id)), browsed),
    )
  }

  override async counts({ queues = null, excludeQueues = [] }: CountQuery = {}): Promise<Counts> {
    return this.#inTable(undefined, async ({ session, dialect }) => ({
      READY: 0,
      RUNNING: 0,
      FAILED: 0,
      SUCCESSFUL: 0,
      ...(await dialect.count(session, this.alias, { queues, excludeQueues })),
    }))
  }

  override async check(): Promise<Problem[]> {
    return checkDatabase(() => this.dataSource())
  }

  override async openStore({
    leaseSeconds = this.#options.leaseSeconds ?? 30,
    hint,
  }: StoreOptions): Promise<Store> {
    const app = await this.dataSource()
    const table = await tableOf(app)
    const dialect = dialectFor(table)
    const bookkeeping = await openBookkeeping(app, leaseSeconds, hint && listenerOn(table, hint))
    await inTime(
      assertUsable(bookkeeping.dataSource, bookkeeping.chore, dialect, table),
      CHECKING,
    ).catch(async (error: unknown) => {
      await inTime(bookkeeping.close(), CLOSING).catch(() => {})
      throw unreachable(error, table.type)
    })
    const deaf = hint ? hearInProcess(app, hint) : () => {}
    const close = async (): Promise<void> => (deaf(), bookkeeping.close())
    return new DatabaseStore(
      bookkeeping,
      dialect,
      {
        tableName: table.name,
        backendName: this.alias,
        leaseSeconds,
        maxCrashes: this.#options.maxCrashes ?? 3,
      },
      close,
    )
  }

  override async completeInTransaction(
    work: (manager: EntityManager) => Promise<Outcome>,
  ): Promise<void> {
    await completeInTransaction(await this.dataSource(), work)
  }

  /** The app's DataSource. @throws DataSourceError if there is none. */
  dataSource(): Promise<DataSource> {
    return dataSourceOf(this.#options.dataSource, this.alias)
  }

  async #inTable<T>(
    explicit: EntityManager | undefined,
    work: (place: {
      session: Session
      table: Table
      dialect: Dialect
      dataSource: DataSource
    }) => Promise<T>,
  ): Promise<T> {
    const dataSource = await this.dataSource()
    const table = await tableOf(dataSource)
    const dialect = dialectFor(table)
    const session = Session.of(managerFor(dataSource, explicit), dataSource)
    try {
      return await work({ session, table, dialect, dataSource })
    } catch (error) {
      throw explained(error, table.name)
    }
  }

  #browse<T>(work: (browsed: Browsed) => Promise<T>): Promise<T> {
    return this.#inTable(undefined, ({ session: { manager }, table, dataSource }) =>
      work({ manager, table, dataSource }),
    )
  }

  #resultOf(row: DBTaskResult, { table }: Browsed): TaskResult<unknown> {
    return new TaskResult(
      this,
      () => valuesOf(rawOf(row, table.hexIds)),
      () => row,
    )
  }

  #newKey({ hexIds }: Table): string {
    const { idFunction } = this.#options
    const id = idFunction ? assertId(idFunction(), this.alias) : newId()
    return hexIds ? id.replaceAll('-', '') : id
  }

  #result(row: () => RawRow, dataSource: DataSource): TaskResult<unknown> {
    return new TaskResult(
      this,
      () => valuesOf(row()),
      () => dbResultOf(row(), dataSource),
    )
  }

  #written(
    { key, row, isNew }: Written,
    taskName: string,
    dataSource: DataSource,
  ): TaskResult<unknown> {
    const result = this.#result(row, dataSource)
    if (!isNew) return result
    if (isHeard('debug')) logEnqueued({ id: dashed(key), taskName, backend: this.alias })
    taskEnqueued.send({ backend: this, result })
    return result
  }
}

function isDueNow({ task: { runAfter } }: Order): boolean {
  return runAfter === null || runAfter.getTime() <= Date.now()
}
