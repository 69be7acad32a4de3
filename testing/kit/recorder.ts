import type { EntityManager } from 'typeorm'
import { DatabaseBackend } from '../../backends/database'
import { joinable, managerFor } from '../../backends/database/ambient-transaction'
import { Filling } from '../../backends/database/flows/fill'
import { partOf } from '../../backends/database/flows/settling'
import { claimedRow } from '../../backends/database/row'
import { afterRollback } from '../../backends/database/wakeups/after-commit'
import { MemoryBackend } from '../../backends/memory/backend'
import { MemoryFlowRows } from '../../backends/memory/flow-rows'
import { claim, finish, hold, mayFinish, type MemoryRow } from '../../backends/memory/row'
import { isDue, type MemoryTable } from '../../backends/memory/table'
import { UnconfiguredBackend } from '../../backends/unconfigured'
import { NotSupportedError, type Order, type TaskBackend, type TaskResult } from '../../index'
import { LeaseLost } from '../../lib/errors/run-errors'
import type { FlowPlan } from '../../lib/row/flow-parts'
import type { ClaimedRow, Outcome } from '../../lib/store'
import type { AnyTask } from '../../lib/task-type'

/** Called with the rows that a call has added, and the manager whose transaction it joined. */
export type Recorded = (
  rows: readonly MemoryRow[],
  recorder: Recorder,
  manager: EntityManager | undefined,
) => Promise<void>

/** Keeps in memory what a backend of TASKS would be given, and refuses what that would refuse. */
export class Recorder extends MemoryBackend {
  override readonly supportsTransactions = true
  readonly #real: TaskBackend
  readonly #recorded: Recorded | undefined
  readonly #filling: Filling

  constructor(real: TaskBackend, table: MemoryTable, recorded?: Recorded) {
    const isUnconfigured = real instanceof UnconfiguredBackend
    super(real.alias, { queues: isUnconfigured ? [] : real.settings.queues, options: { table } })
    this.#real = real
    this.#recorded = recorded
    this.#filling = new Filling(new MemoryFlowRows(table))
  }

  override validate(task: AnyTask): void {
    if (!(this.#real instanceof UnconfiguredBackend)) this.#real.validate(task)
  }

  override async enqueue(order: Order): Promise<TaskResult<unknown>> {
    return (await this.enqueueMany([order]))[0] as TaskResult<unknown>
  }

  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    const manager = await this.#joined(orders[0]?.task.manager)
    const results: TaskResult<unknown>[] = []
    for (const order of orders) {
      this.#keepHolder(order, manager)
      results.push(await super.enqueue(order))
    }
    return this.#added(results, manager)
  }

  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    const manager = await this.#joined(plan.rows[0]?.order.task.manager)
    return this.#added(await super.enqueueFlow(plan), manager)
  }

  /** The result as its row stands now. */
  read(row: MemoryRow): TaskResult<unknown> {
    return this.resultOf(row)
  }

  /** A row that is due, as a claim gives it, with the values that it has waited for. */
  async claimed(row: MemoryRow, leaseSeconds: number): Promise<ClaimedRow> {
    claim(row, 'test', this.table.now())
    hold(row, leaseSeconds, this.table.now())
    return claimedRow(partOf(row.options).awaits ? await this.#filling.filled(row) : row)
  }

  isDueNow(row: MemoryRow): boolean {
    return isDue(row, this.table.now())
  }

  /** In a transaction of the data source of TASKS. */
  override async completeInTransaction(
    work: (manager: EntityManager) => Promise<Outcome>,
    within?: EntityManager,
  ): Promise<void> {
    const manager = within ?? (await this.#databaseOf(this.#real).dataSource()).manager
    const outcome = await joinable(manager.connection, (join) =>
      manager.transaction(async (inner) => {
        const done = await join(inner, work)
        const row = this.table.rows.get(done.key)
        if (!row || !mayFinish(row, done)) throw new LeaseLost()
        return done
      }),
    )
    const row = this.table.rows.get(outcome.key)
    if (row) finish(row, outcome, this.table.now())
  }

  async #added(
    results: TaskResult<unknown>[],
    manager: EntityManager | undefined,
  ): Promise<TaskResult<unknown>[]> {
    const { rows } = this.table
    const added = results
      .filter(({ isDuplicate }) => !isDuplicate)
      .flatMap(({ id }) => rows.get(id) ?? [])
    if (manager?.queryRunner)
      afterRollback(manager.queryRunner, () => {
        for (const { row_key: key } of added) rows.delete(key)
      })
    if (!this.#recorded) return results
    await this.#recorded(added, this, manager)
    for (const result of results) await result.refresh()
    return results
  }

  /** What the order changes in the row that has its key is undone with the transaction. */
  #keepHolder(order: Order, manager: EntityManager | undefined): void {
    const holder = this.table.holderOf(order)
    if (!manager?.queryRunner || !holder) return
    const { args_kwargs, run_after, unique_key, status } = holder
    afterRollback(manager.queryRunner, () => {
      if (holder.status !== status) return
      Object.assign(holder, { args_kwargs, run_after, unique_key })
      this.table.changes += 1
    })
  }

  /** The manager of the transaction that an enqueue joins, as in production; undefined outside of any. */
  async #joined(explicit: EntityManager | undefined): Promise<EntityManager | undefined> {
    const dataSource =
      this.#real instanceof DatabaseBackend
        ? await this.#real.dataSource().catch(() => undefined)
        : undefined
    const manager = dataSource?.isInitialized ? managerFor(dataSource, explicit) : explicit
    return manager?.queryRunner?.isTransactionActive ? manager : undefined
  }

  #databaseOf(real: TaskBackend): DatabaseBackend {
    if (real instanceof DatabaseBackend) return real
    if (real instanceof Recorder) return this.#databaseOf(real.#real)
    throw new NotSupportedError(
      `TASKS.${real.alias} has no data source, so a transactional task has no transaction to run in.`,
      'Configure the Database backend in the test, or pass a manager: perform(task, args, { manager }).',
    )
  }
}
