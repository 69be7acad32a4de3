import type { TaskBackend } from './backend'
import { clock } from './clock'
import { LeaseLost, MalformedRowError, MaxAgeExceeded, TaskCancelled, type TasksError, TimeLimitExceeded, WorkerStops } from './errors'
import { recordOf } from './failure'
import { log } from './log'
import { DEFAULT_POLICY, type Policy, checkPolicy, overridden } from './policy'
import { type Progress, TaskResult } from './result'
import { tasks } from './registry'
import { delayAfter, recordOfFailure } from './retry'
import { ABORT_GRACE, type Verdict, failed, runOnce } from './run'
import { taskStarted } from './signals'
import type { Task } from './task'
import { logState } from './state-lines'
import { isDueTo, strengthOf } from './stop-reasons'
import type { ClaimedRow, Outcome, Renewal } from './store'
import { runInTransaction } from './transactional'

/** One claimed row: its run, and what comes of it. */
export class Slot {
  readonly row: ClaimedRow
  /** When the row was last known to be held, on the monotonic scale. */
  heldAt = clock.now()
  /** What came of the run, once it ended; handed in until it is stored. */
  outcome: Outcome | undefined
  /** Nothing of this run is to be written: the row is not ours any more, or it is given back. */
  isDropped = false
  /** The fence of its outcome did not hold. */
  isDoubted = false
  readonly #backend: TaskBackend
  readonly #changed: () => void
  readonly #abort = new AbortController()
  #reason: TasksError | undefined
  #progress: Progress | null = null
  #policy: Policy = DEFAULT_POLICY
  #hasEnded = false
  #isCompleting = false
  #isStored = false

  constructor(backend: TaskBackend, row: ClaimedRow, changed: () => void) {
    this.#backend = backend
    this.row = row
    this.#changed = changed
  }

  get name(): string {
    return `Task id=${this.row.values.id} path=${this.row.values.taskName}`
  }

  /** Whether another worker may have the row. */
  get isLost(): boolean {
    return this.#reason instanceof LeaseLost
  }

  /** Whether this worker has to keep the row's lease alive. */
  get isHeld(): boolean {
    return !this.isDropped && !this.isLost
  }

  /** Its own transaction says what became of the row, or has said it: a renewal meanwhile cannot know. */
  get isCompleting(): boolean {
    return this.#isCompleting || this.#isStored
  }

  /** Runs the task; never fails, whatever it does. */
  async run(): Promise<void> {
    const result = new TaskResult<unknown>(this.#backend, this.row.values)
    logState(result, 'RUNNING')
    taskStarted.send({ backend: this.#backend, result })
    this.#end(await this.#verdict(result))
  }

  /** Tells the run to stop, and does not wait for it longer than a moment. */
  stop(reason: TasksError): void {
    if (this.#isStored || (this.#reason && strengthOf(reason) <= strengthOf(this.#reason))) return
    // A run that has ended already has an outcome to hand in; a stop of the worker changes nothing about it.
    if (this.#hasEnded && reason instanceof WorkerStops) return
    this.#reason = reason
    if (this.#hasEnded) return this.#conclude({ status: 'FAILED', error: recordOf(reason), cause: reason })
    this.#abort.abort(reason)
    // At a stop the worker itself decides how long it waits.
    if (!(reason instanceof WorkerStops)) void clock.sleep(ABORT_GRACE).then(() => this.#abandon(reason))
  }

  /** The outcome was not taken: a renewal must say whether the row was cancelled; else it is lost. */
  doubt(): void {
    this.isDoubted = true
    this.outcome = undefined
  }

  /** What a renewal says: who holds the row, and the progress that is not written yet. */
  renewal(): Renewal {
    const progress = this.#takeProgress()
    return { key: this.row.key, claims: this.row.claims, progress }
  }

  get hasProgress(): boolean {
    return this.#progress !== null
  }

  async #verdict(result: TaskResult<unknown>): Promise<Verdict> {
    const { malformed, options, values } = this.row
    if (malformed !== null) return failed(new MalformedRowError(malformed))
    const task = tasks.find(values.taskName)
    try {
      this.#policy = overridden(task?.policy ?? DEFAULT_POLICY, options)
      checkPolicy(values.taskName, this.#policy)
    } catch (error) {
      return failed(error)
    }
    return tooOld(result, this.#policy) ?? (await this.#limited(result))
  }

  async #limited(result: TaskResult<unknown>): Promise<Verdict> {
    const { timeLimit } = this.#policy
    const ended = new AbortController()
    if (timeLimit !== null) void clock.sleep(timeLimit, ended.signal).then(() => ended.signal.aborted || this.stop(new TimeLimitExceeded(timeLimit)))
    const report = (progress: Progress): void => void (this.#progress = progress)
    const find = (): Task<unknown[], unknown> => tasks.get(this.row.values.taskName)
    const surroundings = { signal: this.#abort.signal, report }
    const isTransactional = tasks.find(this.row.values.taskName)?.transactional
    const verdict = await (isTransactional ? runInTransaction(this.#backend, find, result, surroundings, (value) => this.#completion(value)) : runOnce(find, result, surroundings))
    ended.abort()
    return verdict
  }

  #end(verdict: Verdict): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#isCompleting = false
    this.#isStored = verdict.status === 'SUCCESSFUL' && verdict.isStored === true
    this.#conclude(verdict)
  }

  #abandon(reason: TasksError): void {
    if (this.#hasEnded) return
    log.warn(`${this.name} ignored its signal (${reason.name}) and is left to itself; what it comes to is dropped`)
    this.#end({ status: 'FAILED', error: recordOf(reason), cause: reason })
  }

  /** From how the run went, and why it was told to stop, to what the row shall say. */
  #conclude(verdict: Verdict): void {
    const reason = this.#reason
    if (verdict.status === 'SUCCESSFUL' && this.#isStored) this.outcome = this.#successful(verdict.returnValue)
    else if (reason instanceof LeaseLost || (reason instanceof WorkerStops && isDueTo(reason, verdict))) this.isDropped = true
    else if (reason instanceof TaskCancelled) this.outcome = this.#failedFor(reason, false)
    else if (reason instanceof TimeLimitExceeded) this.outcome = this.#failedFor(reason)
    else if (verdict.status === 'SUCCESSFUL') this.outcome = this.#successful(verdict.returnValue)
    else this.outcome = this.#failedFor(verdict.cause)
    if (this.outcome) this.outcome = { ...this.outcome, ...this.#lastProgress() }
    this.#changed()
  }

  /** What a transactional run writes itself; a run that was told to stop for good writes nothing. */
  #completion(returnValue: string | null): Outcome {
    if (this.#reason && !(this.#reason instanceof WorkerStops)) throw this.#reason
    this.#isCompleting = true
    return { ...this.#successful(returnValue), ...(this.#progress ? { progress: JSON.stringify(this.#progress) } : {}) }
  }

  #successful(returnValue: string | null): Outcome {
    return { ...this.#held(), status: 'SUCCESSFUL', returnValue }
  }

  #failedFor(cause: unknown, mayRetry = true): Outcome {
    const delay = mayRetry ? this.#delayAfter(cause) : null
    const error = recordOfFailure(cause)
    return delay === null ? { ...this.#held(), status: 'FAILED', error } : { ...this.#held(), status: 'READY', error, delay }
  }

  /** A `retryOn` of the app's may throw; then there is no other run. */
  #delayAfter(cause: unknown): number | null {
    try {
      return delayAfter(cause, this.#policy.retry, this.row.values.errors)
    } catch (error) {
      log.error(`${this.name}: retryOn failed: ${recordOf(error).traceback.split('\n')[0]}`)
      return null
    }
  }

  #held(): { key: string; claims: number } {
    return { key: this.row.key, claims: this.row.claims }
  }

  #lastProgress(): { progress?: string } {
    const progress = this.#takeProgress()
    return progress === null ? {} : { progress }
  }

  #takeProgress(): string | null {
    const progress = this.#progress
    this.#progress = null
    return progress === null ? null : JSON.stringify(progress)
  }
}

/** Both instants are the database's: when the row was claimed, and since when it was due. */
function tooOld({ startedAt, enqueuedAt, runAfter }: TaskResult<unknown>, { maxAge }: Policy): Verdict | undefined {
  if (maxAge === null || startedAt === null || enqueuedAt === null) return undefined
  const age = startedAt.getTime() - Math.max(enqueuedAt.getTime(), runAfter?.getTime() ?? 0)
  return age > maxAge ? failed(new MaxAgeExceeded(age, maxAge)) : undefined
}
