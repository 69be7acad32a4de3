import type { DataSource, EntityManager } from 'typeorm'
import { dashed, hexOf } from '../../entities/formats'
import {
  type BackendSettings,
  type CountQuery,
  type Order,
  type Problem,
  TaskBackend,
} from '../../lib/backend'
import { InvalidSettingsError, ResultNotFoundError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
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
import { IsInt, IsOptional, Max, Min, ValidateBy } from '../../lib/settings/class-validator'
import { isUuid, newId } from '../ids'
import { assertUsable, checkDatabase } from './checks/check'
import { completeInTransaction } from './complete-in-transaction'
import { dbResultOf } from './row-to-entity'
import { hearInProcess, isDueToTell, listenerOn, tellInProcess } from './notifications'
import { type DataSourceOption, dataSourceOf, type Place, placeOf } from './place'
import { type RawRow, valuesOf } from './row'
import { Session } from './connections/session'
import { openWorkerSessions } from './connections/worker-data-source'
import { DatabaseStore } from './store'
import type { Table } from './table'
import { managerFor } from './ambient-transaction'
import { explained, unreachable } from './connections/database-errors'
import { type Written, writeOrders } from './insert'

/** Limit for the checks before a worker starts; they may have to wait for locks of others. */
const CHECK_MS = 40_000
const CLOSE_MS = 3_000

const isFunction = ValidateBy({
  name: 'isFunction',
  validator: {
    validate: (value) => typeof value === 'function',
    defaultMessage: () => 'a function that gives a UUID',
  },
})

/** `TASKS.….OPTIONS` of the Database backend. */
export class DatabaseOptions {
  /** A DataSource, or a function giving one; absent: the one that the command line's file exports. */
  @IsOptional()
  dataSource?: DataSourceOption

  /** Gives the id of a new row, a UUID of any version. Default: version 7, which sorts by time. */
  @IsOptional()
  @isFunction
  idFunction?: () => string

  /** Seconds a claimed row is held without renewal. Default 30. */
  @IsOptional()
  @IsInt({ message: 'a whole number of seconds from 1 to 86400' })
  @Min(1, { message: 'a whole number of seconds from 1 to 86400' })
  @Max(86_400, { message: 'a whole number of seconds from 1 to 86400' })
  leaseSeconds?: number

  /** The number of lost workers after which a task fails. Default 3. */
  @IsOptional()
  @IsInt({ message: 'a whole number from 1 to 1000' })
  @Min(1, { message: 'a whole number from 1 to 1000' })
  @Max(1000, { message: 'a whole number from 1 to 1000' })
  maxCrashes?: number
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

  /** One statement for as many orders as fit into one; several in one transaction. All have the same manager. */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const [first] = orders
    if (!first) return []
    return this.#inTable(first.task.manager, async ({ session, table, dialect, dataSource }) => {
      const keyed = orders.map((order) => ({ order, key: this.#newKey(table) }))
      const { queueName } = first.task
      const notifies =
        isDueNow(first) && isDueToTell(dataSource, session.isInTransaction, queueName)
      const written = await writeOrders(
        { session, dialect, backendName: this.alias, notify: notifies },
        keyed,
      )
      // In a transaction the row cannot be seen before the commit.
      if (notifies && !session.isInTransaction)
        tellInProcess(dataSource, { what: 'ready', queue: queueName })
      return written.map((each, i) =>
        this.#written(each, (orders[i] ?? first).task.name, dataSource),
      )
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

  /** A waiting row is FAILED at once; a running one as soon as its worker, in any process, is notified or renews its lease. */
  override async cancel({ id }: TaskResult<unknown>): Promise<void> {
    await this.#inTable(undefined, async ({ session, table, dialect, dataSource }) => {
      const key = table.hexIds ? hexOf(id) : id
      // It may change between the two statements; then it is the other by the second time, or has finished.
      for (let look = 0; look < 2; look++) {
        if ((await dialect.cancelReady(session, key, recordOf(new TaskCancelled()))) > 0) return
        if ((await dialect.requestCancel(session, key)) > 0)
          return tellInProcess(dataSource, { what: 'cancel', key })
      }
    })
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
    const { dataSource: app, table, dialect } = await this.#place()
    const sessions = await openWorkerSessions(app, leaseSeconds, hint && listenerOn(table, hint))
    await inTime(assertUsable(sessions.dataSource, sessions.chore, dialect, table), CHECK_MS).catch(
      async (error: unknown) => {
        await inTime(sessions.close(), CLOSE_MS).catch(() => {})
        throw unreachable(error, table.type)
      },
    )
    const unhear = hint ? hearInProcess(app, hint) : () => {}
    const close = async (): Promise<void> => (unhear(), sessions.close())
    return new DatabaseStore(
      sessions,
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
    await completeInTransaction(await this.#place(), work)
  }

  /** The app's DataSource. @throws DataSourceError if there is none. */
  dataSource(): Promise<DataSource> {
    return dataSourceOf(this.#options.dataSource, this.alias)
  }

  async #inTable<T>(
    explicit: EntityManager | undefined,
    work: (place: Place & { readonly session: Session }) => Promise<T>,
  ): Promise<T> {
    const { dataSource, table, dialect } = await this.#place()
    const session = Session.of(managerFor(dataSource, explicit), dataSource)
    try {
      return await work({ session, table, dialect, dataSource })
    } catch (error) {
      throw explained(error, table.name)
    }
  }

  #place(): Place | Promise<Place> {
    return placeOf(this.#options.dataSource, this.alias)
  }

  #newKey({ hexIds }: Table): string {
    const id = this.#options.idFunction ? this.#idBy(this.#options.idFunction) : newId()
    return hexIds ? id.replaceAll('-', '') : id
  }

  #idBy(idFunction: () => unknown): string {
    const id = idFunction()
    if (typeof id !== 'string' || !isUuid(id))
      throw new InvalidSettingsError(
        `TASKS.${this.alias}.OPTIONS.idFunction: expected it to give a UUID, got ${shown(id)}.`,
        'Return e.g. crypto.randomUUID().',
      )
    return id.toLowerCase()
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
