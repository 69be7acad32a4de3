import type { EntityManager } from 'typeorm'
import {
  type BackendSettings,
  type CountQuery,
  type ListQuery,
  type Problem,
  TaskBackend,
} from '../../lib/backend'
import type { Pause, PauseOptions } from '../../lib/browser'
import { OneClass } from '../../lib/copies/one-per-process'
import { briefly } from '../../lib/errors/error-record'
import type { Order } from '../../lib/order'
import type { TaskResult } from '../../lib/result'
import type { FlowPlan } from '../../lib/row/flow-parts'
import type { Counts } from '../../lib/row/record'
import type { SlotRow } from '../../lib/row/slot'
import { assertPausable, pauseOptionsOf } from '../../lib/settings/pause-options'
import type { Task } from '../../lib/task-type'
import { enqueueOn, enqueueSpread } from './enqueueing'
import { listOlder, newestFirst } from './newest-first'
import { shardedOptionsOf } from './options'
import { Placing } from './placing'
import { ShardError } from './shard-error'
import { Shards } from './shards'

/**
 * Spreads tasks over other backends of TASKS, each with a database of its own: a key of the call chooses one. Rows are those of
 * the shard, and its workers run them.
 */
@OneClass('ShardedBackend')
export class ShardedBackend extends TaskBackend {
  /** What all shards can do. */
  override supportsDefer: boolean = true
  override supportsGetResult: boolean = true
  override supportsPriority: boolean = true
  override supportsTransactions: boolean = true
  override readonly servedBy: readonly string[]
  readonly #placing: Placing
  #shards: Shards

  constructor(alias: string, settings: BackendSettings) {
    super(alias, settings)
    const options = shardedOptionsOf(settings.options, alias)
    this.servedBy = [...options.over]
    this.#placing = new Placing(alias, options.by, this.servedBy)
    this.#shards = new Shards(this, [], new Map())
  }

  override join(all: ReadonlyMap<string, TaskBackend>): void {
    const shards = new Shards(this, this.servedBy, all)
    this.#shards = shards
    this.supportsDefer = shards.all.every((shard) => shard.supportsDefer)
    this.supportsGetResult = shards.all.every((shard) => shard.supportsGetResult)
    this.supportsPriority = shards.all.every((shard) => shard.supportsPriority)
    this.supportsTransactions = shards.all.every((shard) => shard.supportsTransactions)
  }

  /** Any shard may get it, so all must be able to take it. */
  override validate(task: Task<unknown[], unknown>): void {
    for (const shard of this.#shards.all) shard.validate(task)
    super.validate(task)
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const shard = this.#shards.get(this.#placing.aliasFor(order))
    return enqueueOn(shard, order, () => shard.enqueue(order))
  }

  /**
   * One call of each shard, all at once.
   *
   * @throws ShardError if some shards fail and others do not: `enqueued` says which calls were enqueued.
   */
  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const aliases = orders.map((order) => this.#placing.aliasFor(order))
    return enqueueSpread(this.alias, this.#shards, orders, aliases)
  }

  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    const [first] = plan.rows
    if (!first) return []
    const shard = this.#shards.get(this.#placing.aliasForFlow(plan))
    return enqueueOn(shard, first.order, () => shard.enqueueFlow(plan))
  }

  /** @throws ResultNotFoundError if no shard has it; ShardError if none has, but one could not be asked. */
  override async getResult(id: string, manager?: EntityManager): Promise<TaskResult<unknown>> {
    return (await this.#shards.find(id, manager)).result
  }

  override async cancel(result: TaskResult<unknown>): Promise<boolean | void> {
    const { shard, result: found } = await this.#shards.find(result.id)
    return shard.cancel(found)
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    const { shard } = await this.#shards.find(id)
    return shard.retry(id)
  }

  /** `within` holds for each shard. */
  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    const find = (id: string): Promise<TaskResult<unknown>> => this.getResult(id)
    const lists = await this.#shards.each('list results', (shard) => listOlder(shard, query, find))
    return newestFirst(lists, query.limit)
  }

  /** `within` holds for each shard. */
  override async counts(query: CountQuery = {}): Promise<Counts> {
    const counts = await this.#shards.each('count results', (shard) => shard.counts(query))
    return counts.reduce((a, b) => ({
      READY: a.READY + b.READY,
      RUNNING: a.RUNNING + b.RUNNING,
      FAILED: a.FAILED + b.FAILED,
      SUCCESSFUL: a.SUCCESSFUL + b.SUCCESSFUL,
      WAITING: (a.WAITING ?? 0) + (b.WAITING ?? 0),
    }))
  }

  override async pauseQueue(name: string, options: PauseOptions = {}): Promise<Pause> {
    const checked = pauseOptionsOf(this, name, options)
    const pauses = await this.#shards.each(`pause the queue ${name}`, (shard) =>
      shard.pauseQueue(name, checked),
    )
    return pauses.reduce(longer)
  }

  override async resumeQueue(name: string): Promise<boolean> {
    assertPausable(this, name)
    const resumed = await this.#shards.each(`resume the queue ${name}`, (shard) =>
      shard.resumeQueue(name),
    )
    return resumed.includes(true)
  }

  /** Also those that are paused on some shards only: of several pauses of a queue the one that ends last. */
  override async pausedQueues(): Promise<readonly Pause[]> {
    const pauses = await this.#shards.each('say which queues are paused', (shard) =>
      shard.pausedQueues(),
    )
    const byName = new Map<string, Pause>()
    for (const pause of pauses.flat()) {
      const other = byName.get(pause.queue)
      byName.set(pause.queue, other ? longer(other, pause) : pause)
    }
    return [...byName.values()].toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
  }

  override async ahead(result: TaskResult<unknown>): Promise<number | null> {
    const shard = this.#shards.all.find(({ alias }) => alias === result.backend)
    return shard ? shard.ahead(result) : null
  }

  /** By the clock of whichever shard answers first. */
  override async now(): Promise<Date> {
    const asked = this.#shards.all.map((shard) => shard.now())
    return Promise.any(asked).catch(() => asked[0] as Promise<Date>)
  }

  override firedBy(schedule: string): string {
    return this.#placing.ofSchedule(schedule)
  }

  override async newestSlot(schedule: string): Promise<SlotRow | null> {
    const slots = await this.#shards.each('look for a schedule', (shard) =>
      shard.newestSlot(schedule),
    )
    return slots.reduce((a, b) => (a && b ? (a.at >= b.at ? a : b) : (a ?? b)))
  }

  /** Of all shards, each problem with the alias that has it. */
  override async check(): Promise<Problem[]> {
    const found = await Promise.all(this.#shards.all.map(problemsOf))
    return found.flat()
  }

  override isAway(error: unknown): boolean {
    const errors = error instanceof ShardError ? [...error.failures.values()] : [error]
    return errors.some((each) => this.#shards.all.some((shard) => shard.isAway(each)))
  }
}

/** @throws never: what keeps a shard from being looked at is a problem, too. */
async function problemsOf(shard: TaskBackend): Promise<Problem[]> {
  try {
    const problems = await shard.check()
    return problems.map((each) => ({ ...each, message: `TASKS.${shard.alias}: ${each.message}` }))
  } catch (error) {
    const message = `TASKS.${shard.alias} could not be checked: ${briefly(error)}.`
    return [{ level: 'error', message, hint: 'Is its server up?' }]
  }
}

function longer(a: Pause, b: Pause): Pause {
  const end = ({ until }: Pause): number => until?.getTime() ?? Number.POSITIVE_INFINITY
  return end(b) > end(a) ? b : a
}
