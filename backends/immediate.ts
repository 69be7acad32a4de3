import { type Order, TaskBackend } from '../lib/backend'
import { ResultNotFoundError } from '../lib/errors/errors'
import { randomWorkerId } from '../lib/worker/worker-id'
import { TaskResult } from '../lib/result'
import { type ResultValues } from '../lib/record'
import { recordOf } from '../lib/errors/error-record'
import { callTask } from '../lib/execution/in-process'
import { taskEnqueued, taskFinished, taskStarted } from '../lib/events/signals'
import { logEnqueued, logState } from '../lib/events/task-log'
import { valuesOf } from './new-record'

/** So many finished results are kept for `getResult`; older ones are forgotten. */
export const KEPT_RESULTS = 1_000

/** Runs each task at enqueue, in place: for development and tests. Keeps the latest results in memory. */
export class ImmediateBackend extends TaskBackend {
  override readonly supportsGetResult = true
  override readonly supportsPriority = true
  readonly #unfinished = new Map<string, ResultValues>()
  readonly #finished = new Map<string, ResultValues>()
  readonly #workerId = randomWorkerId()

  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const enqueued = this.#keep(valuesOf(order, this.alias))
    logEnqueued(enqueued)
    taskEnqueued.send({ backend: this, result: enqueued })
    const running = this.#keep({
      ...this.#values(enqueued.id),
      status: 'RUNNING',
      startedAt: new Date(),
      workerIds: [this.#workerId],
    })
    return this.#run(order, running)
  }

  /** Nothing waits here, and what runs cannot be told from its own enqueue. */
  override async cancel(): Promise<void> {}

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    return new TaskResult(this, this.#values(id))
  }

  async #run(order: Order, running: TaskResult<unknown>): Promise<TaskResult<unknown>> {
    logState(running, 'RUNNING')
    taskStarted.send({ backend: this, result: running })
    const outcome = await this.#outcomeOf(order, running)
    const finished = this.#keep({
      ...this.#values(running.id),
      ...outcome,
      finishedAt: new Date(),
    })
    logState(finished, outcome.status, finished.errors.at(-1))
    taskFinished.send({ backend: this, result: finished })
    return finished
  }

  /** What the run changes of the result. Nothing is retried here, so only the error's record counts. */
  async #outcomeOf(
    order: Order,
    running: TaskResult<unknown>,
  ): Promise<Partial<ResultValues> & { status: 'SUCCESSFUL' | 'FAILED' }> {
    try {
      const json = await callTask(order.task, running, {
        signal: new AbortController().signal,
        report: (progress) => void this.#keep({ ...this.#values(running.id), progress }),
      })
      return {
        status: 'SUCCESSFUL',
        returnValue: json === null ? null : (JSON.parse(json) as unknown),
      }
    } catch (error) {
      return { status: 'FAILED', errors: [recordOf(error)] }
    }
  }

  #values(id: string): ResultValues {
    const key = String(id).toLowerCase()
    const values = this.#unfinished.get(key) ?? this.#finished.get(key)
    if (!values) throw new ResultNotFoundError(key)
    return values
  }

  #keep(values: ResultValues): TaskResult<unknown> {
    const result = new TaskResult<unknown>(this, values)
    if (!result.isFinished) this.#unfinished.set(values.id, values)
    else this.#finish(values)
    return result
  }

  #finish(values: ResultValues): void {
    this.#unfinished.delete(values.id)
    this.#finished.set(values.id, values)
    const [oldest] = this.#finished.keys()
    if (this.#finished.size > KEPT_RESULTS && oldest !== undefined) this.#finished.delete(oldest)
  }
}
