import { OneClass } from '../copies/one-per-process'
import { briefName, didYouMean } from './suggestions'

/** The full stop after a text of somebody else, such as another error's message, that has ended its sentence itself. */
const ENDED_TWICE = /(?<=[?!…]|[^.]\.)\.$/

/**
 * The base of every error this library throws: `message` says what happened, `hint` what to do about it,
 * and `code` lets a program tell errors apart without reading prose.
 */
@OneClass('TasksError')
export abstract class TasksError extends Error {
  abstract readonly code: string
  /** What to do about it, in one sentence. */
  readonly hint: string

  constructor(message: string, hint: string, options?: ErrorOptions) {
    const what = message.replace(ENDED_TWICE, '')
    // A message of several lines may end with code that a compiler shows.
    super(`${what}${what.includes('\n') ? '\n' : ' '}${hint}`.trim(), options)
    this.name = new.target.name
    this.hint = hint
  }

  /** The message without `hint`. A getter, since a property of the error would be printed beside its message. */
  get what(): string {
    return this.message.slice(0, this.message.length - this.hint.length).trim()
  }
}

/** A task, an order or an option that can never work: bad name, priority, queue, option or argument. */
@OneClass('InvalidTaskError')
export class InvalidTaskError extends TasksError {
  readonly code = 'INVALID_TASK'
}

/** Arguments that break the rules of the classes which their task lists. */
@OneClass('InvalidArgumentsError')
export class InvalidArgumentsError extends InvalidTaskError {
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, hint, options)
    // Rows and logs have it by this name, whatever class tells it apart in a program.
    this.name = 'InvalidTaskError'
  }
}

/** `TASKS` is malformed; the message names the path, e.g. `TASKS.default.QUEUES[1]`. */
@OneClass('InvalidSettingsError')
export class InvalidSettingsError extends TasksError {
  readonly code = 'INVALID_SETTINGS'
}

/** An alias that `TASKS` does not have, or a `BACKEND` that cannot be imported or is no backend. */
@OneClass('InvalidBackendError')
export class InvalidBackendError extends TasksError {
  readonly code = 'INVALID_BACKEND'
}

/** The backend lacks the ability that was asked of it. */
@OneClass('NotSupportedError')
export class NotSupportedError extends TasksError {
  readonly code = 'NOT_SUPPORTED'
}

/** No task of that name is defined in this process. */
@OneClass('TaskNotFoundError')
export class TaskNotFoundError extends TasksError {
  readonly code = 'TASK_NOT_FOUND'

  constructor(name: string, known: readonly string[]) {
    super(
      `No task is named "${briefName(name)}"; this process knows ${known.length === 0 ? 'none' : known.length}.`,
      didYouMean(name, known) ??
        'Import the file that defines it, or add that file to TASK_MODULES.',
    )
  }
}

/** No result has this id: unknown, pruned, or no UUID at all. */
@OneClass('ResultNotFoundError')
export class ResultNotFoundError extends TasksError {
  readonly code = 'RESULT_NOT_FOUND'

  /** `aliases`: where it was looked for, if that says something. */
  constructor(id: string, aliases: readonly string[] = []) {
    const where =
      aliases.length === 0 ? '' : ` of ${aliases.map((each) => `TASKS.${each}`).join(', ')}`
    super(
      `No task result${where} has the id "${id}".`,
      'Check the id; finished results disappear when they are pruned.',
    )
  }
}

/** The id belongs to a result of another task. */
@OneClass('ResultMismatchError')
export class ResultMismatchError extends TasksError {
  readonly code = 'RESULT_MISMATCH'
}

/** `returnValue` was read before the task finished. */
@OneClass('NotFinishedError')
export class NotFinishedError extends TasksError {
  readonly code = 'NOT_FINISHED'

  constructor(id: string, status: string) {
    super(
      `Task ${id} has not finished yet: it is ${status}.`,
      'Call refresh() or wait() first, and look at isFinished.',
    )
  }
}

/** `returnValue` was read although the task failed; `errors` of the result say why. */
@OneClass('TaskFailedError')
export class TaskFailedError extends TasksError {
  readonly code = 'TASK_FAILED'

  constructor(id: string, reason: string) {
    super(`Task ${id} failed: ${reason}`, 'Read `errors` of the result for the whole traceback.')
  }
}

/** `wait()` ran out of time; the task itself goes on. */
@OneClass('WaitTimeoutError')
export class WaitTimeoutError extends TasksError {
  readonly code = 'WAIT_TIMEOUT'

  constructor(id: string, timeout: number, status: string, isWaiting = false) {
    super(
      `Task ${id} did not finish within ${timeout} ms: it ${isWaiting ? 'waits for other tasks of its flow' : `is ${status}`}.`,
      isWaiting
        ? 'Look at those tasks: handle.results() gives them. Wait longer, or poll with refresh().'
        : 'Is a worker running for its queue? Wait longer, or poll with refresh().',
    )
  }
}

/** A value that JSON cannot carry, or that not every database can store; the message names its path. */
@OneClass('NotSerializableError')
export class NotSerializableError extends TasksError {
  readonly code = 'NOT_SERIALIZABLE'
}

/** The DataSource is missing, not initialised, or lacks the entity, the table or a column. */
@OneClass('DataSourceError')
export class DataSourceError extends TasksError {
  readonly code = 'DATA_SOURCE'
}

/** The database cannot be reached, or is of a kind that cannot carry tasks. */
@OneClass('DatabaseError')
export class DatabaseError extends TasksError {
  readonly code = 'DATABASE'
}

/** The database does not answer, or takes no connections, at present: it may well a moment later. */
@OneClass('DatabaseUnreachableError')
export class DatabaseUnreachableError extends DatabaseError {}

/** An enqueue whose id, as `idFunction` gave it, is taken: most likely an earlier try of it was stored after all. */
@OneClass('AlreadyEnqueuedError')
export class AlreadyEnqueuedError extends TasksError {
  readonly code = 'ALREADY_ENQUEUED'

  constructor(name: string, ids: readonly string[], options?: ErrorOptions) {
    super(
      `Task "${name}" is already enqueued: ${ids.length === 1 ? `there is a row with the id ${ids[0]}` : `one of the ${ids.length} ids is taken`}.`,
      'Read it with getResult(id). To enqueue once however often you try, use uniqueKey, which gives the result that is there.',
      options,
    )
  }
}

/** A task called the library with a value that cannot be used. Unlike an `InvalidTaskError` it may be right in the next run. */
@OneClass('InvalidCallError')
export class InvalidCallError extends TasksError {
  readonly code = 'INVALID_CALL'
}

/** A row that somebody else wrote and that no worker can make sense of. */
@OneClass('MalformedRowError')
export class MalformedRowError extends TasksError {
  readonly code = 'MALFORMED_ROW'

  constructor(what: string) {
    super(`The row is malformed: ${what}.`, 'Enqueue it again through the library.')
  }
}

/** A file of the app could not be found or loaded. */
@OneClass('LoadError')
export class LoadError extends TasksError {
  readonly code = 'LOAD'
}

/** A wrong call of the command line. */
@OneClass('UsageError')
export class UsageError extends TasksError {
  readonly code = 'USAGE'
}
