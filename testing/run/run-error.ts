import { type TaskResult, TasksError } from '../../index'
import { OneClass } from '../../lib/copies/one-per-process'

export interface RunErrorParts {
  readonly results: readonly TaskResult<unknown>[]
  /** What the first of them threw. */
  readonly cause?: unknown
}

/** Tasks have failed in a test, or could not be run. `cause` is what the first of them threw. */
@OneClass('TaskRunError')
export class TaskRunError extends TasksError {
  readonly code = 'TASK_RUN'
  /** The tasks that failed, in the order in which they ran. */
  readonly results: readonly TaskResult<unknown>[]

  constructor(message: string, hint: string, { results, cause }: RunErrorParts) {
    super(message, hint, cause === undefined ? undefined : { cause })
    // Runners print what can be enumerated, and results are long.
    this.results = results
    Object.defineProperty(this, 'results', { enumerable: false })
  }
}
