import type { DataSource, EntityManager } from 'typeorm'
import type { Browser, Pause, PauseOptions } from './browser'
import { OneClass } from './copies/one-per-process'
import { InvalidTaskError, NotSupportedError } from './errors/errors'
import { notServed } from './errors/not-served'
import { didYouMean } from './errors/suggestions'
import type { FlowPlan } from './row/flow-parts'
import type { Order } from './order'
import type { Counts } from './row/record'
import type { CountQuery, ListQuery } from './queries'
import { type KeepResults, keptFor, shortestOf } from './retention'
import type { TaskResult } from './result'
import type { SlotRow } from './row/slot'
import type { Outcome, Store, StoreOptions } from './store'
import type { Task } from './task-type'

export type { CountQuery, ListQuery }

export interface BackendSettings {
  /** The queues tasks may be put in; empty: any. */
  readonly queues: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** Something `check()` found, with its hint. A warning does not keep anything from working. */
export interface Problem {
  readonly level: 'error' | 'warning'
  readonly message: string
  readonly hint: string
  /** A warning in one short line, for workers, which say it each time they start. Default: message and hint. */
  readonly brief?: string
}

/** Where tasks go when they are enqueued. A backend must have `enqueue`; everything else has a default. */
@OneClass('TaskBackend')
export abstract class TaskBackend {
  /** Honours `runAfter`. */
  readonly supportsDefer: boolean = false
  /** Gives results back by their id. */
  readonly supportsGetResult: boolean = false
  /** Honours `priority`. */
  readonly supportsPriority: boolean = false
  /** Enqueues inside the caller's database transaction, and runs `transactional` tasks in one. */
  readonly supportsTransactions: boolean = false
  /** Takes a `manager` to enqueue with, though it may run no `transactional` task. */
  readonly joinsTransactions: boolean = false

  /** The key in `TASKS`. */
  readonly alias: string
  readonly settings: BackendSettings
  /** How long workers keep the results of tasks that do not say it by `keepResults`; null: workers delete none of them. */
  readonly retention: KeepResults | null = null
  /** What the log of a worker says of a task that it runs, and that is not there any more. */
  readonly whenGone: string = 'is lost, since its row is gone'
  /** The aliases whose workers run its tasks and whose rows they are; null: its own. */
  readonly servedBy: readonly string[] | null = null

  constructor(alias: string, settings: BackendSettings) {
    this.alias = alias
    this.settings = settings
  }

  /** Called by `configureTasks` once all backends of TASKS are made. @throws InvalidSettingsError if they do not go together. */
  join(_all: ReadonlyMap<string, TaskBackend>): void {}

  abstract enqueue(order: Order): Promise<TaskResult<unknown>>

  async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const results: TaskResult<unknown>[] = []
    for (const order of orders) results.push(await this.enqueue(order))
    return results
  }

  /** Writes the rows of a flow, all or none. Resolves to their results, in the order of the rows. */
  async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    throw this.#lacks(`run a flow of ${plan.rows.length} tasks`)
  }

  /** @throws ResultNotFoundError for an id it does not hold. */
  async getResult(id: string, _manager?: EntityManager): Promise<TaskResult<unknown>> {
    throw this.#lacks(`give back the result ${id}`)
  }

  /** False: it changed nothing, since the task had finished. Nothing: the backend does not tell. */
  async cancel(result: TaskResult<unknown>): Promise<boolean | void> {
    throw this.#lacks(`cancel task ${result.id}`)
  }

  /** Results of this backend, the newest first. For a page to look at: a list must stay short of what fits in memory. */
  async list(_query: ListQuery): Promise<TaskResult<unknown>[]> {
    throw this.#lacks('list results')
  }

  /**
   * Puts a FAILED task back into its queue, due at once. Its error is kept among those of earlier attempts, but failures and
   * lost workers are counted anew. It takes its unique key again. Resolves to the result as it is then.
   *
   * @throws ResultNotFoundError for an id it does not hold; NotSupportedError unless it is FAILED, or if another has its key.
   */
  async retry(id: string): Promise<TaskResult<unknown>> {
    throw this.#lacks(`retry task ${id}`)
  }

  /** The number of results of this backend in each status. */
  async counts(_query: CountQuery = {}): Promise<Counts> {
    throw this.#lacks('count results')
  }

  /** Opens what a dashboard looks through; it closes it. By default a dashboard makes do with `list`. */
  async openBrowser(): Promise<Browser> {
    throw this.#lacks('be browsed')
  }

  /**
   * Has workers leave a queue alone: what runs goes on, and what is enqueued waits. Pausing it again replaces reason and end.
   *
   * @throws InvalidSettingsError for a queue that is not in QUEUES, or wrong options; NotSupportedError where the backend keeps
   * no pauses.
   */
  async pauseQueue(name: string, _options: PauseOptions = {}): Promise<Pause> {
    throw this.#lacks(`pause the queue ${name}`)
  }

  /** Ends a pause. Resolves to false if the queue was not paused. @throws as `pauseQueue`. */
  async resumeQueue(name: string): Promise<boolean> {
    throw this.#lacks(`resume the queue ${name}`)
  }

  /** The queues that are paused at present, by name. @throws NotSupportedError where the backend keeps no pauses. */
  async pausedQueues(): Promise<readonly Pause[]> {
    throw this.#lacks('pause queues')
  }

  /**
   * How many tasks of the same queue are due and come before this one, as last read; at most MOST_AHEAD. Null: it is not due, or that cannot be
   * told with a few looks. For all to see how long they wait, so it must be cheap.
   */
  async ahead(_result: TaskResult<unknown>): Promise<number | null> {
    return null
  }

  /** The present instant, by the clock that says when rows are due. Needed to fire schedules. */
  async now(): Promise<Date> {
    throw this.#lacks('fire schedules')
  }

  /** The alias whose workers fire the schedule of this name, for a task of this backend. */
  firedBy(_schedule: string): string {
    return this.alias
  }

  /** The newest slot of a schedule that has a row; null: none has. `schedule`: what the keys of its slots begin with. Needed to fire schedules. */
  async newestSlot(_schedule: string): Promise<SlotRow | null> {
    throw this.#lacks('fire schedules')
  }

  /** What is wrong with the set-up; nothing by default. */
  async check(): Promise<Problem[]> {
    return []
  }

  /** The app's DataSource, where the backend has one: whoever opens the app opens it, too. */
  async dataSource(): Promise<DataSource | undefined> {
    return undefined
  }

  async close(): Promise<void> {}

  /**
   * Resolves once it is known that what the backend stands on answers, where that is not opened with the app. Default: at once.
   *
   * @throws DatabaseUnreachableError
   */
  async reach(): Promise<void> {}

  /** TASKS has others now, as after a hot reload: closes what it keeps open, once nothing that it has given out asks it. */
  retire(): void {}

  /** Whether an error says that what the backend stands on cannot be reached at present; false: a child process that could not load the app for it fails its task. */
  isAway(_error: unknown): boolean {
    return false
  }

  /** What a worker needs; a backend without workers has none. */
  async openStore(_options: StoreOptions): Promise<Store> {
    throw notServed(this) ?? this.#lacks('be served by a worker')
  }

  /**
   * Runs `work` in a transaction of the app's database, which writes the outcome that `work` gives, too; in a savepoint of `within`,
   * if that is given, as to `openStore`. Needed where `supportsTransactions`.
   *
   * @throws LeaseLost if the claim does not hold the row any more, or it was cancelled; what `work` throws. Then nothing is written.
   */
  async completeInTransaction(
    _work: (manager: EntityManager) => Promise<Outcome>,
    _within?: EntityManager,
  ): Promise<void> {
    throw this.#lacks('run a transactional task')
  }

  /**
   * Refuses a task that asks for what this backend can never do.
   *
   * @throws InvalidTaskError, NotSupportedError
   */
  validate(task: Task<unknown[], unknown>): void {
    const { queues } = this.settings
    if (queues.length > 0 && !queues.includes(task.queueName))
      throw new InvalidTaskError(
        `Task "${task.name}": queue "${task.queueName}" is not in QUEUES of TASKS.${this.alias} (${queues.join(', ')}).`,
        didYouMean(task.queueName, queues) ?? `Add it there, or choose one of them.`,
      )
    if (task.priority !== 0 && !this.supportsPriority)
      throw this.#cannot(task, 'priority', 'Leave the priority at 0')
    if (task.runAfter !== null && !this.supportsDefer)
      throw this.#cannot(task, 'runAfter', 'Leave runAfter out')
    if (!this.supportsTransactions) this.#assertNoTransaction(task)
    this.#assertThrottleLasts(task)
  }

  /** The key of a throttle is in its row, also after that has finished. */
  #assertThrottleLasts({ name, throttle, keepResults }: Task<unknown[], unknown>): void {
    if (throttle === null) return
    const keptMs = shortestOf(keptFor(keepResults, this.retention))
    if (keptMs === undefined || keptMs >= throttle.every) return
    throw new InvalidTaskError(
      `Task "${name}" is throttled for ${throttle.every} ms, and its results are kept for ${keptMs} ms only: without its row a throttle ends.`,
      `Keep its results for as long at least, by keepResults of the task or OPTIONS.retention of TASKS.${this.alias}.`,
    )
  }

  #assertNoTransaction(task: Task<unknown[], unknown>): void {
    if (task.manager !== undefined && !this.joinsTransactions)
      throw new NotSupportedError(
        `Task "${task.name}" was given a manager, and ${this.constructor.name} (TASKS.${this.alias}) cannot enqueue in its transaction: the task would run even if that rolls back.`,
        'Leave the manager out, or use the Database backend; is configureTasks called in this process?',
      )
    if (task.transactional)
      throw new NotSupportedError(
        `Task "${task.name}" is transactional, and ${this.constructor.name} (TASKS.${this.alias}) has no database to run it in a transaction of.`,
        'Leave transactional out, or use the Database backend.',
      )
  }

  #cannot(task: Task<unknown[], unknown>, ability: string, hint: string): InvalidTaskError {
    return new InvalidTaskError(
      `Task "${task.name}" asks for ${ability}, which ${this.constructor.name} (TASKS.${this.alias}) does not support.`,
      `${hint}, or use the Database backend.`,
    )
  }

  #lacks(what: string): NotSupportedError {
    return new NotSupportedError(
      `${this.constructor.name} (TASKS.${this.alias}) cannot ${what}.`,
      'Use the Database backend for that.',
    )
  }
}
