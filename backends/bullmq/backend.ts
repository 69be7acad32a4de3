import { type BackendSettings, TaskBackend } from '../../lib/backend'
import { ResultNotFoundError } from '../../lib/errors/errors'
import type { Order } from '../../lib/order'
import { TaskResult } from '../../lib/result'
import type { KeepResults } from '../../lib/retention'
import { validateShape } from '../../lib/settings/validation'
import type { Store, StoreOptions } from '../../lib/store'
import { sharedValues } from '../database/enqueueing/shared-values'
import { type RawRow, valuesOf } from '../database/row'
import { newId } from '../ids'
import { retentionOf } from '../lease-options'
import { assertOneSlot, Connection, isCluster, newClient } from './connection'
import { dataOf, rawOf } from './job'
import { bullPriority } from './names'
import { BullMQOptions, KEPT_MS } from './options'
import { listen } from './store/wakeups'
import { BullMQStore } from './store/store'
import { jobById } from './read'

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
    const { keepResults = KEPT_MS, prefix = `tasks-${alias}`, connection = '' } = this.options
    this.retention = retentionOf({ retention: keepResults }, path)
    if (isCluster(connection)) assertOneSlot(prefix, alias)
    this.#prefix = prefix
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    return (await this.enqueueMany([order]))[0] as TaskResult<unknown>
  }

  /** One round trip. */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const connection = this.connected()
    const { names, client } = connection
    const now = Date.now()
    const jobs = orders.map((order) => {
      const { task, argsKwargs } = order
      const { options } = sharedValues(order, this.alias)
      const name = names.queueFor(task.queueName, task.priority)
      const id = newId()
      const data = dataOf(argsKwargs, options)
      const delay = task.runAfter === null ? 0 : Math.max(0, task.runAfter.getTime() - now)
      const priority = bullPriority(task.priority)
      return { id, name, task, data, delay, priority }
    })
    void client
      .zadd(names.ids, ...jobs.flatMap(({ id, name }) => [0, `${id}:${name}`]))
      .catch(() => {})
    await Promise.all(
      jobs.map(({ id, name, task, data, delay, priority }) =>
        connection.queue(name).addJob(
          {
            id,
            name: task.name,
            data,
            timestamp: now,
            opts: {
              jobId: id,
              attempts: 1,
              ...(delay > 0 && { delay }),
              ...(priority > 0 && { priority }),
            },
          } as never,
          id,
        ),
      ),
    )
    return Promise.all(jobs.map(({ id }) => this.getResult(id)))
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    const job = await jobById(this.connected(), this.settings.queues, id)
    if (!job) throw new ResultNotFoundError(String(id))
    return this.#result(rawOf(job, this.alias))
  }

  override async openStore({
    leaseSeconds = this.options.leaseSeconds ?? 30,
    wakeup,
  }: StoreOptions): Promise<Store> {
    const connection = this.#connect(leaseSeconds)
    const { names } = connection
    const close = wakeup && listen(newClient(this.options, this.alias), names.wakeups, wakeup)
    return new BullMQStore(connection, {
      close,
      alias: this.alias,
      queues: this.settings.queues,
      leaseSeconds,
      maxCrashes: this.options.maxCrashes ?? 3,
    })
  }

  override async close(): Promise<void> {
    await this.#opened?.close()
    this.#opened = undefined
  }

  protected connected(): Connection {
    return (this.#opened ??= this.#connect(30))
  }

  #connect(leaseSeconds: number): Connection {
    const settings = { alias: this.alias, prefix: this.#prefix, leaseMs: leaseSeconds * 1000 }
    return new Connection(newClient(this.options, this.alias), settings)
  }

  #result(row: RawRow): TaskResult<unknown> {
    return new TaskResult(this, () => valuesOf(row))
  }
}
