import { assertYoung, policyFor } from '../execution/preflight'
import type { TaskBackend } from '../backend'
import type { Bagged } from './indexed-set'
import { clock, OVER } from '../clock'
import { type TasksError } from '../errors/errors'
import { WorkerStops, LeaseLost, TaskCancelled, TimeLimitExceeded } from '../errors/run-errors'
import { DEFAULT_POLICY, type Policy } from '../tasks/run-policy'
import { TaskResult } from '../result'
import { type Progress } from '../record'
import { tasks } from '../registry'
import type { Way } from '../execution/in-process'
import { taskStarted } from '../events/signals'
import { logState } from '../events/task-log'
import { strengthOf } from '../execution/abort'
import type { ClaimedRow, Outcome, Renewal } from '../store'
import { type Verdict, failed, stopped } from '../execution/run-outcome'
import { type Run, wayOf } from '../execution/executor'

/**
 * Where a row stands between its claim and the end of its slot. `waiting`: for its turn to run. `completing`: its own transaction says what became of it,
 * and a renewal meanwhile cannot know. `stored`: it has said so. `ended`: there is an outcome to hand in. `doubted`: the
 * fence of the outcome did not hold. `dropped`: nothing of this run is to be written.
 */
type Stage = 'waiting' | 'running' | 'completing' | 'stored' | 'ended' | 'doubted' | 'dropped'

/** One claimed row: its run, and what comes of it. */
export class Slot implements Bagged, Run {
  readonly row: ClaimedRow
  readonly backend: TaskBackend
  /** When the row was asked for, on the monotonic scale. */
  readonly claimedAt: number
  /** When it was last known to be held. */
  heldAt: number
  /** What came of the run, once it ended; handed in until it is stored. */
  outcome: Outcome | undefined
  policy: Policy = DEFAULT_POLICY
  /** The bookkeeping of `Slots`: its place among all, whether it counts as running, and whether its outcome was noted. */
  at = -1
  isRunning = false
  isNoted = false
  readonly #isolated: Way | null
  readonly #changed: () => void
  #abort: AbortController | undefined
  #ended: AbortController | undefined
  #onStop: ((run: Run) => void) | undefined
  #stage: Stage = 'waiting'
  #reason: TasksError | undefined
  #progress: Progress | null = null

  /** `isolated` carries out what asks for a process of its own, where the worker has any. */
  constructor(
    backend: TaskBackend,
    row: ClaimedRow,
    claimedAt: number,
    isolated: Way | null,
    changed: () => void,
  ) {
    this.backend = backend
    this.row = row
    this.claimedAt = claimedAt
    this.heldAt = claimedAt
    this.#isolated = isolated
    this.#changed = changed
  }

  get name(): string {
    return `Task id=${this.row.values.id} path=${this.row.values.taskName}`
  }

  /** Whether another worker may have the row. */
  get isLost(): boolean {
    return this.#reason instanceof LeaseLost
  }

  /** The row is not ours any more, or it is given back. */
  get isDropped(): boolean {
    return this.#stage === 'dropped'
  }

  get isDoubted(): boolean {
    return this.#stage === 'doubted'
  }

  /** Whether this worker has to keep the row's lease alive. */
  get isHeld(): boolean {
    return !this.isDropped && !this.isLost
  }

  /** Its own transaction says what became of the row, or has said it. */
  get isCompleting(): boolean {
    return this.#stage === 'completing' || this.#stage === 'stored'
  }

  /** Runs the task; never fails, whatever it does. */
  run(): void {
    const {
      backend,
      row: { values },
    } = this
    this.#stage = 'running'
    logState(values, 'RUNNING')
    if (taskStarted.isHeard)
      taskStarted.send({ backend, result: new TaskResult<unknown>(backend, values) })
    void this.#verdict().then((verdict) => this.conclude(verdict))
  }

  conclude(verdict: Verdict): void {
    if (!this.#hasEnded) this.#conclude(verdict)
  }

  /** Tells the run to stop, and does not wait for it. */
  stop(reason: TasksError): void {
    if (
      this.#stage === 'stored' ||
      (this.#reason && strengthOf(reason) <= strengthOf(this.#reason))
    )
      return
    // A run that has ended already has an outcome to hand in; a stop of the worker changes nothing about it.
    if (this.#hasEnded && reason instanceof WorkerStops) return
    this.#reason = reason
    this.#abort?.abort(reason)
    if (this.#hasEnded || this.#stage === 'waiting') this.#conclude(stopped(reason, this, false))
    else this.#onStop?.(this)
  }

  /** The outcome was not taken: a renewal must say whether the row was cancelled; else it is lost. Gives true. */
  doubt(): true {
    this.#stage = 'doubted'
    this.outcome = undefined
    return true
  }

  /** What a renewal says: who holds the row, and the progress that is not written yet. */
  renewal(): Renewal {
    const progress = this.#takeProgress()
    return { key: this.row.key, claims: this.row.claims, progress }
  }

  get hasProgress(): boolean {
    return this.#progress !== null
  }

  /** Made when somebody asks for it: of many runs few do. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#reason && !this.#abort.signal.aborted) this.#abort.abort(this.#reason)
    return this.#abort.signal
  }

  whenStopped(tell: (run: Run) => void): void {
    this.#onStop = tell
    if (this.#reason) tell(this)
  }

  get over(): AbortSignal {
    return (this.#ended ??= new AbortController()).signal
  }

  begins(): void {
    const { timeLimit } = this.policy
    if (timeLimit === null) return
    const { over } = this
    void clock
      .sleep(timeLimit, over)
      .then(() => over.aborted || this.stop(new TimeLimitExceeded(timeLimit)))
  }

  report(progress: Progress): void {
    this.#progress = progress
  }

  /** What a transactional run writes itself; a run that was told to stop for good writes nothing. */
  completion(returnValue: string | null): Outcome {
    if (this.#reason && !(this.#reason instanceof WorkerStops)) throw this.#reason
    this.#stage = 'completing'
    return this.#withProgress(
      this.#successful(returnValue),
      this.#progress === null ? null : JSON.stringify(this.#progress),
    )
  }

  get #hasEnded(): boolean {
    return this.#stage !== 'waiting' && this.#stage !== 'running' && this.#stage !== 'completing'
  }

  #verdict(): Promise<Verdict> {
    const { values } = this.row
    const task = tasks.find(values.taskName)
    try {
      this.policy = policyFor(this.row, task)
      assertYoung(values, this.policy, clock.now() - this.claimedAt)
    } catch (error) {
      return Promise.resolve(failed(error, this))
    }
    return wayOf(task, this.#isolated)(this)
  }

  /** From how the run went, and why it was told to stop, to what the row shall say. */
  #conclude(verdict: Verdict): void {
    this.#ended?.abort(OVER)
    this.#stage = this.#stageAfter(verdict)
    if (this.#stage !== 'dropped')
      this.outcome = this.#withProgress(
        this.#outcomeOf(this.#judged(verdict)),
        this.#takeProgress(),
      )
    this.#changed()
  }

  #stageAfter(verdict: Verdict): Stage {
    const isStored = verdict.status === 'SUCCESSFUL' && verdict.isStored === true
    if (isStored) return 'stored'
    const isGivenUp =
      this.#reason instanceof WorkerStops && verdict.status === 'FAILED' && verdict.isDueToStop
    return this.isLost || isGivenUp ? 'dropped' : 'ended'
  }

  /** A run that was told to stop has failed for that, whatever it came to; unless its own transaction has said otherwise. */
  #judged(verdict: Verdict): Verdict {
    const reason = this.#reason
    if (
      this.#stage === 'stored' ||
      !(reason instanceof TaskCancelled || reason instanceof TimeLimitExceeded)
    )
      return verdict
    return stopped(reason, this, reason instanceof TimeLimitExceeded)
  }

  #outcomeOf(verdict: Verdict): Outcome {
    if (verdict.status === 'SUCCESSFUL') return this.#successful(verdict.returnValue)
    const { error, delay } = verdict
    const { key, claims } = this.row
    return delay === null
      ? { key, claims, status: 'FAILED', error }
      : { key, claims, status: 'READY', error, delay }
  }

  #successful(returnValue: string | null): Outcome {
    return { key: this.row.key, claims: this.row.claims, status: 'SUCCESSFUL', returnValue }
  }

  #withProgress(outcome: Outcome, progress: string | null): Outcome {
    return progress === null ? outcome : { ...outcome, progress }
  }

  #takeProgress(): string | null {
    const progress = this.#progress
    this.#progress = null
    return progress === null ? null : JSON.stringify(progress)
  }
}
