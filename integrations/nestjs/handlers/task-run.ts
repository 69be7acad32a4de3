import { type FactoryProvider, Scope } from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
import { InvalidCallError, type TaskContext, type TaskResult } from '../../../index'

/** Injects the run in a request-scoped provider: `@Inject(TASK_RUN) run: TaskRun | null`. Null in an HTTP request. */
export const TASK_RUN = Symbol.for('typeorm-tasks.nestjs.run')

/** A run of a task, as request-scoped providers see it; it is what `REQUEST` gives them, too. */
export class TaskRun {
  /** The result as it stood when this run started. */
  readonly taskResult: TaskResult<unknown>
  /** Which run this is, from 1. */
  readonly attempt: number
  /** Aborts when the run should stop. */
  readonly signal: AbortSignal
  readonly #place: string

  constructor({ taskResult, attempt, signal }: TaskContext, place: string) {
    this.taskResult = taskResult
    this.attempt = attempt
    this.signal = signal
    this.#place = place
  }

  /** A provider that is made for requests would fail by some "undefined" otherwise. @throws InvalidCallError */
  get headers(): never {
    throw new InvalidCallError(
      `Task "${this.taskResult.taskName}": ${this.#place}, or what it injects, reads the headers of REQUEST, and a task has no request.`,
      'Pass what it needs as an argument of the task, or look first: `request instanceof TaskRun`.',
    )
  }
}

export const taskRunProvider: FactoryProvider<TaskRun | null> = {
  provide: TASK_RUN,
  scope: Scope.REQUEST,
  inject: [REQUEST],
  useFactory: (request: unknown) => (request instanceof TaskRun ? request : null),
}
