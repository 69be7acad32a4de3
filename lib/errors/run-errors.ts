import { InvalidCallError, TasksError } from './errors'
import { OneClass } from '../copies/one-per-process'
import { DELAY } from './option-checks'
import { shown } from './suggestions'

/** What is recorded for a run whose worker disappeared: its lease ran out before it finished. */
@OneClass('WorkerLost')
export class WorkerLost extends TasksError {
  readonly code = 'WORKER_LOST'

  constructor(workerId: string) {
    super(
      `The worker ${workerId} was lost: it did not renew its lease.`,
      'Look for a crash, a kill or a blocked event loop there.',
    )
  }
}

/** A run took longer than its task's `timeLimit`. Also the reason with which its signal aborts. */
@OneClass('TimeLimitExceeded')
export class TimeLimitExceeded extends TasksError {
  readonly code = 'TIME_LIMIT_EXCEEDED'

  constructor(timeLimit: number) {
    super(
      `The run took longer than its time limit of ${timeLimit} ms.`,
      'Raise timeLimit, or do less in one task.',
    )
  }
}

/** A task waited longer than its `maxAge` and was not run. */
@OneClass('MaxAgeExceeded')
export class MaxAgeExceeded extends TasksError {
  readonly code = 'MAX_AGE_EXCEEDED'

  constructor(age: number, maxAge: number) {
    super(
      `The task waited ${age} ms, longer than its maximum age of ${maxAge} ms.`,
      'Raise maxAge, or run more workers.',
    )
  }
}

/** Somebody cancelled the task. Also the reason with which its signal aborts. */
@OneClass('TaskCancelled')
export class TaskCancelled extends TasksError {
  readonly code = 'TASK_CANCELLED'

  constructor() {
    super('The task was cancelled.', '')
  }
}

/** What is recorded for a task of a flow that does not run, since one that it waited for has failed. */
@OneClass('PreviousFailed')
export class PreviousFailed extends TasksError {
  readonly code = 'PREVIOUS_FAILED'

  constructor(id: string, taskName: string, headline: string) {
    super(
      `Task ${id} (${taskName}), which it waited for, has failed: ${headline}.`,
      'Retry that one: if it succeeds, this one runs.',
    )
  }
}

/** The reason with which a task's signal aborts when its worker no longer holds the row: another one may run it already. */
@OneClass('LeaseLost')
export class LeaseLost extends TasksError {
  readonly code = 'LEASE_LOST'

  constructor() {
    super(
      'The worker no longer holds the task: its lease could not be renewed.',
      'What this run comes to is dropped.',
    )
  }
}

/** The reason with which a task's signal aborts when its worker stops: its row is given back, to be run again elsewhere. */
@OneClass('WorkerStops')
export class WorkerStops extends TasksError {
  readonly code = 'WORKER_STOPS'

  constructor() {
    super('The worker stops.', 'The task is given back and runs again.')
  }
}

/** Thrown by a task: not now, but `delay` milliseconds later, at most 2^31 - 1 (24 days). Counts as an attempt; not limited by `retry.maxAttempts`. */
@OneClass('RetryLater')
export class RetryLater extends TasksError {
  readonly code = 'RETRY_LATER'
  readonly delay: number

  /** @throws InvalidCallError for a delay that is out of its range, or no number. */
  constructor(delay: number, options: ErrorOptions & { reason?: string | undefined } = {}) {
    super(options.reason ?? `The task asks to be run again in ${delay} ms.`, '', options)
    assertDelay(delay)
    this.delay = delay
  }
}

/** Thrown by a task: it failed, and trying again would not help, whatever its `retry` says. Its cause is what counts. */
@OneClass('DoNotRetry')
export class DoNotRetry extends TasksError {
  readonly code = 'DO_NOT_RETRY'

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, '', options)
  }
}

/**
 * Thrown by a task: it failed, and the message may be shown to users, as `publicView` does. The messages of other errors it keeps
 * back, since they may name files, hosts or values. Retried as any other error. The message is the whole one: no hint is added.
 */
@OneClass('PublicError')
export class PublicError extends TasksError {
  readonly code: string = 'PUBLIC'

  constructor(message: string, options?: ErrorOptions) {
    super(message, '', options)
  }
}

/** The child process of an isolated task ended before the task did: an exit, a crash, memory that ran out, a kill. */
@OneClass('ProcessLost')
export class ProcessLost extends TasksError {
  readonly code = 'PROCESS_LOST'
  /** `exit code 1`, `SIGKILL`. */
  readonly how: string

  constructor(how: string, options?: ErrorOptions) {
    super(
      `The process of the task ended before the task did: ${how}.`,
      'Look at what it printed last: process.exit, memory that ran out, a crash in native code, an error that nothing caught, a kill.',
      options,
    )
    this.how = how
  }
}

/** A database refused to store how the run of this task ended: for its content, its size, or the time that it took. */
@OneClass('OutcomeRefused')
export class OutcomeRefused extends TasksError {
  readonly code = 'OUTCOME_REFUSED'

  constructor(reason: string) {
    super(
      `The database refused to store the outcome of the run: ${reason}.`,
      'The run itself may have done its work. Return less data, or data that the database can store.',
    )
  }
}

/** @throws InvalidCallError unless it is a delay that every database can add to the present instant. */
export function assertDelay(delay: unknown): void {
  if (!DELAY.isSound(delay))
    throw new InvalidCallError(
      `RetryLater: expected a delay as ${DELAY.expected}, got ${shown(delay)}.`,
      'Pass the delay in milliseconds.',
    )
}
