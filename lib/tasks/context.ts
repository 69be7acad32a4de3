import type { EntityManager } from 'typeorm'
import { InvalidCallError, NotSupportedError } from '../errors/errors'
import { OneClass } from '../copies/one-per-process'
import { shown } from '../errors/suggestions'
import { cut } from '../errors/error-record'
import { sharedByMany } from '../clock'
import type { TaskResult } from '../result'
import type { Progress } from '../row/record'
import type { Slot } from '../row/slot'

/** A note is cut after so many characters. */
const MAX_NOTE = 1000

/** What surrounds one run; a worker gives it, specs and `call` too. */
export interface Surroundings {
  readonly signal: AbortSignal
  report(progress: Progress): void
  readonly manager?: EntityManager
}

/** The first argument of a task with `takesContext: true`. */
@OneClass('TaskContext')
export class TaskContext {
  /** The result as it stood when this run started. */
  readonly taskResult: TaskResult<unknown>
  /** The slot of the schedule that enqueued it; null: something else did. */
  readonly slot: Slot | null
  readonly #surroundings: Surroundings

  /**
   * Stores how far the task has come, for `result.progress`. Cheap: reports are gathered, the latest one counts. Needs no `this`.
   *
   * @throws InvalidCallError unless `done` and `total` are finite numbers.
   */
  readonly reportProgress = (
    done: number,
    total: number | null = null,
    note: string | null = null,
  ): void => {
    if (!Number.isFinite(done) || !(total === null || Number.isFinite(total)))
      throw new InvalidCallError(
        `reportProgress expects finite numbers, got ${shown(done)} of ${shown(total)}.`,
        'Pass how much is done and, if known, the total.',
      )
    this.#surroundings.report({
      done,
      total,
      note: note === null ? null : cut(String(note), MAX_NOTE),
    })
  }

  constructor(
    taskResult: TaskResult<unknown>,
    surroundings: Surroundings,
    slot: Slot | null = null,
  ) {
    this.taskResult = taskResult
    this.slot = slot
    this.#surroundings = surroundings
  }

  /** Aborts when the task should stop: hand it to `fetch` and the like. */
  get signal(): AbortSignal {
    return sharedByMany(this.#surroundings.signal)
  }

  /** Which run this is, from 1. */
  get attempt(): number {
    return this.taskResult.attempts
  }

  /**
   * The manager of the task's own transaction; in a `call`, the one given by `using({ manager })`.
   *
   * @throws NotSupportedError in a task that is not transactional.
   */
  get manager(): EntityManager {
    if (!this.#surroundings.manager)
      throw new NotSupportedError(
        'This run is not in a transaction of its own, so its context has no manager.',
        "Give the task `transactional: true` (for `call`: `using({ manager })`), or use the app's own DataSource.",
      )
    return this.#surroundings.manager
  }
}
