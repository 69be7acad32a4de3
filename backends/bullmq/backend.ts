import { dashed } from '../../entities/formats'
import {
  type BackendSettings,
  type CountQuery,
  type ListQuery,
  type Problem,
  TaskBackend,
} from '../../lib/backend'
import { InvalidSettingsError, ResultNotFoundError } from '../../lib/errors/errors'
import { heard } from '../../lib/events/logger'
import { taskEnqueued } from '../../lib/events/signals'
import { logEnqueued } from '../../lib/events/task-log'
import type { Order } from '../../lib/order'
import { TaskResult } from '../../lib/result'
import type { KeepResults } from '../../lib/retention'
import type { Counts } from '../../lib/row/record'
import { validateShape } from '../../lib/settings/validation'
import type { Store, StoreOptions } from '../../lib/store'
import { type RawRow, valuesOf } from '../database/row'
import { isUuid, newId } from '../ids'
import { retentionOf } from '../lease-options'
import { countJobs, listJobs, type Wanted } from './browse/look-through'
import { cancelJob } from './changes/cancel'
import { retryJob } from './changes/retry'
import { checkRedis } from './checks/check'
import { assertOneSlot, isOnCluster, wayOf } from './clients/asked'
import { isAway } from './clients/away'
import { Connection, newClient } from './connection'
import { type Written, writeOrders } from './enqueueing/write'
import { explained } from './errors'
import { rawOf } from './job'
import { BullMQOptions, KEPT_MS } from './options'
import { BullMQStore } from './store/store'
import { listen } from './store/wakeups'
import { jobById, namesOf } from './read'

/** Redis as the queue, by BullMQ's manual fetching: its keys, its scripts, our worker. Of a relay it knows nothing. */
export abstract class RedisBackend extends TaskBackend {
  override readonly supportsDefer = true
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  override readonly retention: KeepResults | null
  protected readonly options: BullMQOptions
  readonly #prefix: string
  #opened: Connection | undefined

  constructor(alias: string, settings: BackendSettings) {
    super(alias, settings)
    const path = `TASKS.${alias}.OPTIONS`
    this.options = validateShape(BullMQOptions, settings.options, path)
    const { keepResults = KEPT_MS, prefix = `tasks-${alias}`, connection } = this.options
    this.retention = retentionOf({ retention: keepResults }, path)
    if (connection !== undefined && isOnCluster(wayOf(connection, `${path}.connection`)))
      assertOneSlot(prefix, alias)
    assertQueues(settings.queues, alias)
    this.#prefix = prefix
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    return (await this.enqueueMany([order]))[0] as TaskResult<unknown>
  }

  /** One round trip for as many as fit into one; of more, some may be written where the rest cannot be. */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const results = new Map<Written, TaskResult<unknown>>()
    const written = await this.#within((connection) =>
      writeOrders(
        connection,
        orders.map((order) => ({ order, id: newId() })),
        {
          alias: this.alias,
          onWritten: (some) => {
            for (const each of some) results.set(each, this.#announced(each))
          },
        },
      ),
    )
    return written.map((each) => results.get(each) ?? this.#result(each.row, !each.isNew))
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    const uuid = idOf(id)
    const job = await this.#within((connection) => jobById(connection, this.settings.queues, uuid))
    if (!job) throw new ResultNotFoundError(id)
    return this.#result(() => rawOf(job, this.alias))
  }

  /** A waiting task is FAILED at once; a running one as soon as its worker, in any process, hears of it or renews its lease. */
  override async cancel({ id }: TaskResult<unknown>): Promise<boolean> {
    const done = await this.#within((connection) =>
      cancelJob(connection, this.settings.queues, dashed(id)),
    )
    return done !== 'nothing'
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    const uuid = idOf(id)
    const { alias, settings } = this
    const row = await this.#within((connection) =>
      retryJob(connection, uuid, { alias, queues: settings.queues }),
    )
    return this.#result(() => row)
  }

  /** All results are of this backend: another one has another prefix. */
  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    const found = await this.#within((connection) =>
      listJobs(connection, { ...query, before: beforeOf(query) }, this.#queues(connection, query)),
    )
    return found.map((job) => this.#result(() => rawOf(job, this.alias)))
  }

  override async counts(query: CountQuery = {}): Promise<Counts> {
    return this.#within((connection) =>
      countJobs(connection, { ...query, before: beforeOf(query) }, this.#queues(connection, query)),
    )
  }

  override async openStore({
    leaseSeconds = this.options.leaseSeconds ?? 30,
    wakeup,
  }: StoreOptions): Promise<Store> {
    const connection = this.#connect(leaseSeconds)
    const { names } = connection
    const close = wakeup && listen(connection.listener(), names.wakeups, wakeup)
    return new BullMQStore(connection, {
      close,
      alias: this.alias,
      queues: this.settings.queues,
      leaseSeconds,
      maxCrashes: this.options.maxCrashes ?? 3,
    })
  }

  override async check(): Promise<Problem[]> {
    const { alias, settings } = this
    return checkRedis(() => this.connected(), { alias, queues: settings.queues })
  }

  override isAway(error: unknown): boolean {
    return isAway(error)
  }

  override async close(): Promise<void> {
    await this.#opened?.close()
    this.#opened = undefined
  }

  async #within<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.connected()
    try {
      return await work(connection)
    } catch (error) {
      throw explained(error, connection.client, this.alias)
    }
  }

  protected connected(): Connection {
    return (this.#opened ??= this.#connect(30))
  }

  #connect(leaseSeconds: number): Connection {
    const settings = { alias: this.alias, prefix: this.#prefix, leaseMs: leaseSeconds * 1000 }
    return new Connection(newClient(this.options, this.alias), settings)
  }

  /** BullMQ's names of the queues that a query is about. */
  #queues(connection: Connection, { queues, excludeQueues = [] }: CountQuery): Wanted {
    const own = this.settings.queues
    const wanted = queues ?? own.filter((name) => !excludeQueues.includes(name))
    const isAll = !queues && excludeQueues.length === 0
    return {
      wanted: isAll ? undefined : namesOf(connection, wanted),
      all: namesOf(connection, own),
    }
  }

  #result(row: () => RawRow, isDuplicate = false): TaskResult<unknown> {
    return new TaskResult(this, () => valuesOf(row()), undefined, isDuplicate)
  }

  #announced({ id, taskName, row, isNew }: Written): TaskResult<unknown> {
    const result = this.#result(row, !isNew)
    if (!isNew) return result
    if (heard.debug) logEnqueued({ id, taskName, backend: this.alias })
    if (taskEnqueued.isHeard) taskEnqueued.send({ backend: this, result })
    return result
  }
}

/** @throws ResultNotFoundError for what is no id. */
function idOf(id: string): string {
  const uuid = dashed(String(id))
  if (typeof id === 'string' && isUuid(uuid)) return uuid
  throw new ResultNotFoundError(String(id))
}

function beforeOf({ before }: CountQuery): string | undefined {
  return before === undefined ? undefined : idOf(before)
}

/** BullMQ keeps no list of queues, and a worker must know where to look. */
function assertQueues(queues: readonly string[], alias: string): void {
  if (queues.length > 0) return
  throw new InvalidSettingsError(
    `TASKS.${alias}.QUEUES is empty, and the BullMQ backend must know the names of its queues: a worker looks into each of them.`,
    "Name them, e.g. QUEUES: ['default', 'mail'].",
  )
}
