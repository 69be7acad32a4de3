import type { Progress, ResultValues, TaskStatus } from './row/record'
import { OneClass } from './copies/one-per-process'
import { clock, sharedByMany } from './clock'
import {
  InvalidTaskError,
  NotFinishedError,
  TaskFailedError,
  WaitTimeoutError,
} from './errors/errors'
import { type Rule, type Subject, check, isWithin } from './errors/option-checks'
import { type ErrorRecord, headline } from './errors/error-record'
import { errorsIn, omittedOf } from './errors/history'
import { tasks } from './registry'
import { expose, STORED_VALUE, transformer } from './exposed-result'
import type { Task } from './task-type'

export interface WaitOptions {
  /** Milliseconds until `wait` gives up. */
  timeout: number
  /** Stops the waiting early; `wait` then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** What a result asks of its backend. */
export interface ResultSource {
  getResult(id: string): Promise<TaskResult<unknown>>
  cancel(result: TaskResult<unknown>): Promise<unknown>
}

const FIRST_POLL_MS = 10
const SLOWEST_POLL_MS = 500

const WAIT: Subject = {
  what: 'wait',
  Fault: InvalidTaskError,
  hint: 'Write e.g. wait({ timeout: 5_000 }).',
}
const TIMEOUT: Rule = {
  expected: 'a number of milliseconds, 0 or more',
  isSound: (value) => isWithin(value, 0, Number.POSITIVE_INFINITY),
}

/** What came of an enqueued task, as it stood when last read: only `refresh`, `wait` and `cancel` change it. */
@OneClass('TaskResult')
export class TaskResult<Return> {
  static {
    // Not a member, which would be a part of the public type.
    Object.defineProperty(this.prototype, STORED_VALUE, {
      get: function (this: TaskResult<unknown>) {
        return this.#read().returnValue
      },
    })
  }

  readonly #backend: ResultSource
  #values: ResultValues | (() => ResultValues)
  #source: (() => unknown) | undefined
  readonly #isDuplicate: boolean

  /**
   * Values may be a function that is asked when they are needed: of a thousand results of one call few are looked at.
   * `source` gives what the backend read them from, e.g. the row; see `dbResult`.
   */
  constructor(
    backend: ResultSource,
    values: ResultValues | (() => ResultValues),
    source?: () => unknown,
    isDuplicate = false,
  ) {
    this.#backend = backend
    this.#isDuplicate = isDuplicate
    this.#values = values
    this.#source = source
    const { path } = transformer
    if (path !== undefined && require.cache[path]) expose(TaskResult.prototype)
  }

  get id(): string {
    return this.#read().id
  }

  /** The task's name, also where this process does not know the task. */
  get taskName(): string {
    return this.#read().taskName
  }

  /** @throws TaskNotFoundError if no task of that name is defined in this process. */
  get task(): Task<unknown[], Return> {
    return tasks.get(this.taskName) as Task<unknown[], Return>
  }

  get status(): TaskStatus {
    return this.#read().status
  }

  get isFinished(): boolean {
    return this.status === 'SUCCESSFUL' || this.status === 'FAILED'
  }

  /** True: the call that gave this result has written nothing, since the key of the task was held. Always false of `getResult`. */
  get isDuplicate(): boolean {
    return this.#isDuplicate
  }

  get enqueuedAt(): Date | null {
    return this.#read().enqueuedAt
  }

  get startedAt(): Date | null {
    return this.#read().startedAt
  }

  get finishedAt(): Date | null {
    return this.#read().finishedAt
  }

  /** When the latest run started. */
  get lastAttemptedAt(): Date | null {
    return this.#read().startedAt
  }

  get args(): readonly unknown[] {
    return this.#read().args
  }

  get kwargs(): Readonly<Record<string, unknown>> {
    return this.#read().kwargs
  }

  get priority(): number {
    return this.#read().priority
  }

  get queueName(): string {
    return this.#read().queueName
  }

  /** Not before this instant; null when it may run at once, or when others have finished. */
  get runAfter(): Date | null {
    return this.#read().runAfter
  }

  /** True: the task is READY, but waits for earlier ones of its flow. */
  get isWaiting(): boolean {
    return this.#read().isWaiting ?? false
  }

  /** The backend's alias in `TASKS`. */
  get backend(): string {
    return this.#read().backend
  }

  /** The errors of failed attempts, oldest first. Of many the first ten and the last ten, and long ones are cut: see `errorCount`. */
  get errors(): readonly ErrorRecord[] {
    return errorsIn(this.#read().errors)
  }

  /** How many errors there were, those included that `errors` leaves out. */
  get errorCount(): number {
    return this.errors.length + omittedOf(this.#read().errors).errors
  }

  /** One worker id for each attempt, oldest first. From a hundred on the first and the last ones: see `attempts`. */
  get workerIds(): readonly string[] {
    return this.#read().workerIds
  }

  /** How often a run was started. */
  get attempts(): number {
    const { errors, workerIds } = this.#read()
    return workerIds.length + omittedOf(errors).workers
  }

  /** What the task last reported through its context. */
  get progress(): Progress | null {
    return this.#read().progress
  }

  /**
   * What the task returned, as it is stored: null in the place of undefined, also for a task that returns nothing.
   *
   * @throws NotFinishedError while the task waits or runs.
   * @throws TaskFailedError if it failed.
   */
  get returnValue(): Return extends void ? null : Return {
    if (this.status === 'FAILED')
      throw new TaskFailedError(this.id, headline(this.errors.at(-1)) ?? 'no error was stored.')
    if (this.status !== 'SUCCESSFUL') throw new NotFinishedError(this.id, this.status)
    return this.#read().returnValue as Return extends void ? null : Return
  }

  /** The `DBTaskResult` behind this result on the Database backend; undefined on the others. */
  get dbResult(): unknown {
    const made = this.#source?.()
    this.#source = () => made
    return made
  }

  /** Reads everything anew, in place. */
  async refresh(): Promise<this> {
    const fresh = await this.#backend.getResult(this.id)
    this.#values = fresh.#values
    this.#source = fresh.#source
    return this
  }

  /**
   * Polls until the task has finished, however it ended, and resolves to this result.
   *
   * @throws WaitTimeoutError when `timeout` milliseconds have passed.
   */
  async wait(options: WaitOptions): Promise<this> {
    const { timeout, signal } = assertWait(options)
    if (signal) sharedByMany(signal)
    const deadline = clock.now() + timeout
    for (let pause = FIRST_POLL_MS; ; pause = Math.min(SLOWEST_POLL_MS, pause * 1.5)) {
      if ((await this.refresh()).isFinished) return this
      const left = deadline - clock.now()
      if (left <= 0) throw new WaitTimeoutError(this.id, timeout, this.status, this.isWaiting)
      await clock.sleep(Math.min(pause, left), signal)
      signal?.throwIfAborted()
    }
  }

  /**
   * Asks that the task does not run, or stops: a waiting one is FAILED at once, with `TaskCancelled`; a running one sees
   * its `signal` abort, in whatever process it runs, and ends FAILED all the same. A finished one stays as it is.
   * Resolves to this result, refreshed; `wait` tells the end.
   *
   * @throws NotSupportedError if the backend cannot.
   */
  async cancel(): Promise<this> {
    await this.#backend.cancel(this)
    return this.refresh()
  }

  /** The result as plain data, fit for a web answer. Also class-transformer's `instanceToPlain` gives these properties. */
  toJSON(): Record<string, unknown> {
    const { taskName: task, ...values } = this.#read()
    const { attempts, errors, isWaiting } = this
    return { ...values, task, errors, attempts, isWaiting }
  }

  #read(): ResultValues {
    if (typeof this.#values === 'function') this.#values = this.#values()
    return this.#values
  }
}

/**
 * Without a timeout a caller would wait for ever once no worker runs.
 *
 * @throws InvalidTaskError if it is none.
 */
export function assertWait(options: WaitOptions): WaitOptions {
  const { timeout } = (options ?? {}) as Partial<WaitOptions>
  check(WAIT, 'timeout', timeout, TIMEOUT)
  return options
}
