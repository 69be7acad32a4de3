import { type Order, TaskBackend } from '../lib/backend'
import { ResultNotFoundError } from '../lib/errors/errors'
import { TaskCancelled } from '../lib/errors/run-errors'
import { recordOf } from '../lib/errors/error-record'
import { TaskResult } from '../lib/result'
import { type ResultValues } from '../lib/record'
import { taskEnqueued } from '../lib/events/signals'
import { logEnqueued } from '../lib/events/task-log'
import type { TaskValues } from '../lib/tasks/task-options'
import { assertHolds } from './unique-key'
import { valuesOf } from './new-record'

/** Keeps what is enqueued and runs nothing: for tests that look at what was asked for. */
export class DummyBackend extends TaskBackend {
  override readonly supportsDefer = true
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  #kept: ResultValues[] = []
  readonly #byUniqueKey = new Map<string, ResultValues>()

  /** What was enqueued since the last `clear()`, oldest first. */
  get results(): TaskResult<unknown>[] {
    return this.#kept.map((values) => new TaskResult(this, values))
  }

  /** Forgets everything. */
  clear(): void {
    this.#kept = []
    this.#byUniqueKey.clear()
  }

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const { task } = order
    const holder = this.#byUniqueKey.get(task.uniqueKey ?? '')
    if (holder) return this.#taken(holder, task)
    const values = valuesOf(order, this.alias)
    this.#kept.push(values)
    if (task.uniqueKey !== null) this.#byUniqueKey.set(task.uniqueKey, values)
    const result = new TaskResult(this, values)
    logEnqueued(result)
    taskEnqueued.send({ backend: this, result })
    return result
  }

  /** What waits is FAILED at once, as in a database. */
  override async cancel({ id }: TaskResult<unknown>): Promise<void> {
    this.#kept = this.#kept.map((values) =>
      values.id === id && values.status === 'READY'
        ? {
            ...values,
            status: 'FAILED',
            finishedAt: new Date(),
            errors: [recordOf(new TaskCancelled())],
          }
        : values,
    )
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    const values = this.#kept.find((kept) => kept.id === String(id).toLowerCase())
    if (!values) throw new ResultNotFoundError(String(id))
    return new TaskResult(this, values)
  }

  /** Nothing ever finishes here, so a key stays taken. */
  #taken(holder: ResultValues, task: TaskValues): TaskResult<unknown> {
    assertHolds(holder, task)
    return new TaskResult(this, holder)
  }
}
