import { dashed } from '../../entities/formats'
import type { CountQuery, ListQuery } from '../../lib/backend'
import { NotSupportedError, ResultNotFoundError } from '../../lib/errors/errors'
import { heard } from '../../lib/events/logger'
import { taskEnqueued } from '../../lib/events/signals'
import { logEnqueued } from '../../lib/events/task-log'
import type { Browser } from '../../lib/browser'
import type { Order } from '../../lib/order'
import type { FlowPlan } from '../../lib/row/flow-parts'
import { TaskResult } from '../../lib/result'
import type { Counts } from '../../lib/row/record'
import type { SlotRow } from '../../lib/row/slot'
import { flowOrders } from '../database/flows/flow-orders'
import { type RawRow, valuesOf } from '../database/row'
import { isUuid, newId } from '../ids'
import { RedisBrowser } from './browsing/browser'
import { countAhead } from './browsing/ahead'
import { countJobs, listJobs, type Wanted } from './browsing/look-through'
import { newestSlot } from './browsing/newest-slot'
import { cancelJob } from './changes/cancel'
import { retryJob } from './changes/retry'
import type { Connection } from './connection'
import { type Part, type Written, writeOrder, writeOrders } from './enqueueing/write'
import { writeFlow } from './flows/write'
import { rawOf } from './job'
import { OnRedis } from './on-redis'
import { jobById, namesOf } from './read'

/** Redis as the queue, by BullMQ's manual fetching: its keys, its scripts, our worker. Of a relay it knows nothing. */
export abstract class RedisBackend extends OnRedis {
  override readonly supportsDefer = true
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  /** A task in the caller's transaction is written there first, which needs to be told of the app's database. */
  override validate(task: Order['task']): void {
    if (task.manager !== undefined && this.options.dataSource === undefined)
      throw new NotSupportedError(
        `Task "${task.name}" was given a manager, and OPTIONS of TASKS.${this.alias} name no dataSource: Redis takes no part in the transaction, so the task would run even if that rolls back.`,
        "Name the app's DataSource in OPTIONS.dataSource: then the task goes to Redis once the transaction is committed. Or leave the manager out.",
      )
    super.validate(task)
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const id = newId()
    return this.#announced(
      await this.within((connection) => writeOrder(connection, { order, id }, this.alias)),
    )
  }

  /** One round trip for as many as fit into one; of more, some may be written where the rest cannot be. */
  override enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    return this.enqueuePart(orders)
  }

  /** @internal `part`: where the orders are not all of a call. */
  protected async enqueuePart(
    orders: readonly Order[],
    part?: Part,
  ): Promise<TaskResult<unknown>[]> {
    const results = new Map<Written, TaskResult<unknown>>()
    const written = await this.within((connection) =>
      writeOrders(
        connection,
        orders.map((order) => ({ order, id: newId() })),
        {
          alias: this.alias,
          part,
          onWritten: (some) => {
            for (const each of some) results.set(each, this.#announced(each))
          },
        },
      ),
    )
    return written.map((each) => results.get(each) ?? this.#result(each.row, !each.isNew))
  }

  /** One transaction of Redis. */
  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    const orders = flowOrders(plan, newId)
    const written = await this.within((connection) => writeFlow(connection, orders, this.alias))
    return written.map((each) => this.#announced(each))
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    const uuid = idOf(id)
    const job = await this.within((connection) => jobById(connection, this.settings.queues, uuid))
    if (!job) throw new ResultNotFoundError(id)
    return this.#result(() => rawOf(job, this.alias))
  }

  /** A waiting task is FAILED at once; a running one as soon as its worker, in any process, hears of it or renews its lease. */
  override async cancel({ id }: TaskResult<unknown>): Promise<boolean> {
    const done = await this.within((connection) =>
      cancelJob(connection, { alias: this.alias, queues: this.settings.queues }, dashed(id)),
    )
    return done !== 'nothing'
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    const uuid = idOf(id)
    const { alias, settings } = this
    const row = await this.within((connection) =>
      retryJob(connection, uuid, { alias, queues: settings.queues }),
    )
    return this.#result(() => row)
  }

  /** All results are of this backend: another one has another prefix. */
  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    const found = await this.within((connection) =>
      listJobs(connection, { ...query, before: beforeOf(query) }, this.#queues(connection, query)),
    )
    return found.map((job) => this.#result(() => rawOf(job, this.alias)))
  }

  override async counts(query: CountQuery = {}): Promise<Counts> {
    return this.within((connection) =>
      countJobs(connection, { ...query, before: beforeOf(query) }, this.#queues(connection, query)),
    )
  }

  override async ahead(result: TaskResult<unknown>): Promise<number | null> {
    return this.within((connection) => countAhead(connection, result))
  }

  override async newestSlot(schedule: string): Promise<SlotRow | null> {
    const { alias, settings } = this
    return this.within((connection) =>
      newestSlot(connection, schedule, { alias, queues: settings.queues }),
    )
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

  override async openBrowser(): Promise<Browser> {
    return new RedisBrowser({
      backend: this,
      alias: this.alias,
      queues: this.settings.queues,
      within: (work) => this.within(work),
      resultOf: (job) => this.#result(() => rawOf(job, this.alias)),
    })
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
