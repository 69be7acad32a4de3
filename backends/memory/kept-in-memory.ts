import {
  type BackendSettings,
  type CountQuery,
  type ListQuery,
  TaskBackend,
} from '../../lib/backend'
import type { Order } from '../../lib/order'
import { taskEnqueued } from '../../lib/events/signals'
import { logEnqueued } from '../../lib/events/task-log'
import type { FlowPlan } from '../../lib/row/flow-parts'
import type { Counts } from '../../lib/row/record'
import { TaskResult } from '../../lib/result'
import { flowOrders } from '../database/flows/flow-orders'
import { valuesOf } from '../database/row'
import { newId } from '../ids'
import type { MemoryRow } from './row'
import { MemoryTable } from './table'

/** What backends that keep their rows in this process have in common. Their rows end with the process. */
export abstract class KeptInMemory extends TaskBackend {
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  protected readonly table: MemoryTable

  constructor(alias: string, settings: BackendSettings, table = new MemoryTable()) {
    super(alias, settings)
    this.table = table
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const standing = this.table.standingFor(order)
    return standing
      ? this.resultOf(standing, true)
      : this.announced(this.table.add(order, this.alias))
  }

  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    return this.placed(plan).map((row) => this.announced(row))
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    return this.resultOf(this.table.get(id))
  }

  override async cancel({ id }: TaskResult<unknown>): Promise<void> {
    this.table.cancel(id)
  }

  override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
    return this.table.list(this.alias, query).map((row) => this.resultOf(row))
  }

  override async retry(id: string): Promise<TaskResult<unknown>> {
    return this.resultOf(this.table.retry(id))
  }

  override async counts(query: CountQuery = {}): Promise<Counts> {
    return this.table.counts(this.alias, query)
  }

  protected placed(plan: FlowPlan<Order>): MemoryRow[] {
    return flowOrders(plan, newId).map(({ order, id }) => this.table.add(order, this.alias, id))
  }

  /** The row as it is now; the result does not change with it. */
  protected resultOf(row: MemoryRow, isDuplicate = false): TaskResult<unknown> {
    const copy = { ...row }
    return new TaskResult(this, () => valuesOf(copy), undefined, isDuplicate)
  }

  protected announced(row: MemoryRow): TaskResult<unknown> {
    const result = this.resultOf(row)
    logEnqueued(result)
    taskEnqueued.send({ backend: this, result })
    return result
  }
}
