import {
  assertYoung,
  type AbortableRun,
  executorOf,
  policyFor,
  type Executor,
} from '../../execution/executor'
import type { TaskBackend } from '../../backend'
import { Member } from './stage-lists'
import { clock, OVER } from '../../clock'
import type { TasksError } from '../../errors/errors'
import type { ErrorRecord } from '../../errors/error-record'
import { briefName } from '../../errors/suggestions'
import { WorkerStops, LeaseLost, TaskCancelled, TimeLimitExceeded } from '../../errors/run-errors'
import { DEFAULT_POLICY, type Policy } from '../../tasks/run-policy'
import { type Progress } from '../../row/record'
import { tasks } from '../../registry'
import type { TraceContext } from '../../row/trace'
import { RunWatch } from './run-watch'
import type { LiveStage, Stage } from './stages'
import { strengthOf } from '../../execution/abort'
import type { ClaimedRow, Outcome } from '../../store'
import {
  type Failure,
  type RunOutcome,
  type Success,
  aborted,
  failed,
  outcomeOf,
  UNKNOWN_HERE,
} from '../../execution/run-outcome'

/** The pool, as its tasks see it. */
export interface Owner {
  readonly backend: TaskBackend
  readonly maxCrashes: number
  /** Carries out tasks that ask for a process of their own; null: this worker has none. */
  readonly isolated: Executor | null
  /** The stage of a task changes. */
  move(task: ClaimedTask, stage: Stage): void
  /** A task ended only because the worker stops: its row is given back unfinished. */
  giveBack(task: ClaimedTask): void
  /** Trouble of the set-up kept a task from beginning: its row is given back, for a later run. */
  giveBackUnbegun(task: ClaimedTask, error: ErrorRecord | null): void
  mayBeKnownElsewhere(row: ClaimedRow): boolean
}

/** One claimed row: its run, why it must stop, and its outcome. Its stage is the list of the pool that it is in. */
export class ClaimedTask extends Member<LiveStage> implements AbortableRun {
  readonly row: ClaimedRow
  /** When the row was asked for, in ms of the monotonic clock. */
  readonly claimedAt: number
  /** When it came to this worker: where others are in the way of a claim, long after it was asked for. */
  readonly takenAt = clock.now()
  policy: Policy = DEFAULT_POLICY
  readonly #owner: Owner
  #heldAt: number
  #outcome: Outcome | undefined
  /** Its own transaction has stored the outcome. */
  #isCommitted = false
  /** The strongest reason to stop that its outcome takes into account. */
  #reason: TasksError | undefined
  /** A stronger one that came when the outcome was on its way. It counts if that outcome is not stored. */
  #lateReason: TasksError | undefined
  #abort: AbortController | undefined
  #over: AbortController | undefined
  #onAbort: ((run: AbortableRun) => void) | undefined
  /** The last progress reported, and the same until it is written. */
  #progress: Progress | null = null
  reported: Progress | null = null
  readonly watch = new RunWatch()

  constructor(owner: Owner, row: ClaimedRow, claimedAt: number) {
    super()
    this.#owner = owner
    this.row = row
    this.claimedAt = claimedAt
    this.#heldAt = claimedAt
  }

  get stage(): Stage {
    return this.setName ?? 'gone'
  }

  get name(): string {
    return `Task id=${this.row.values.id} path=${briefName(this.row.values.taskName)}`
  }

  get backend(): TaskBackend {
    return this.#owner.backend
  }

  /** True if another worker may have the row. */
  get isLost(): boolean {
    return (this.#lateReason ?? this.#reason) instanceof LeaseLost
  }

  /** When a renewal of its lease that succeeded was asked for, or its claim; in ms of the monotonic clock. */
  get heldAt(): number {
    return this.#heldAt
  }

  renewed(askedAt: number): void {
    this.#heldAt = askedAt
  }

  /** What to hand in. Only for a task that has ended. */
  get outcome(): Outcome {
    if (this.#outcome === undefined) throw new Error(`${this.name} is ${this.stage}: no outcome`)
    return this.#outcome
  }

  /** Runs the task; never fails, whatever the task does. */
  run(): void {
    const waitedMs = clock.now() - this.claimedAt
    const running = this.watch.begin(this.backend, this.row, waitedMs, () => this.#execute())
    void running.then((outcome) => this.conclude(outcome))
  }

  conclude(outcome: RunOutcome): void {
    const { stage } = this
    this.watch.stop()
    if (stage === 'running' || stage === 'committing') this.#end(outcome)
  }

  /** Tells the task to stop, and does not wait for it. Of two reasons the stronger one counts. */
  stop(reason: TasksError): void {
    const { stage } = this
    if (stage === 'gone') return
    const hasEnded = ['ended', 'sent', 'deferred', 'doubted'].includes(stage)
    // A task that has ended has an outcome; that the worker stops does not change it.
    if (hasEnded && reason instanceof WorkerStops) return
    // What a renewal tells of a refused outcome decides, whatever was told before.
    if (stage !== 'doubted' && (this.#isCommitted || !this.#isStronger(reason))) return
    if (stage === 'sent') this.#lateReason = reason
    else this.#stop(reason, stage)
  }

  /** The outcome that was sent has not been stored. Applies a reason to stop that came meanwhile; false if none did. */
  applyLateReason(): boolean {
    const reason = this.#lateReason
    if (reason === undefined) return false
    this.#lateReason = undefined
    this.#stop(reason, 'sent')
    return true
  }

  /** The database refused the outcome, so nothing of it is in the row. */
  dropOutcome(): void {
    this.#outcome = undefined
    this.#isCommitted = false
  }

  get progress(): Progress | null {
    return this.#progress
  }

  /** This progress need not be written any more, nor handed in with the outcome. */
  wrote(progress: Progress): void {
    if (this.#progress === progress) this.#progress = null
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#reason && !this.#abort.signal.aborted) this.#abort.abort(this.#reason)
    return this.#abort.signal
  }

  whenAborted(tell: (run: AbortableRun) => void): void {
    this.#onAbort = tell
    if (this.#reason) tell(this)
  }

  get trace(): TraceContext | undefined {
    return this.watch.context
  }

  get over(): AbortSignal {
    return (this.#over ??= new AbortController()).signal
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
    this.#progress = this.reported = progress
  }

  /** What the run's own transaction stores. One that must stop, but for a stop of the worker, stores nothing. */
  completion(returnValue: string | null): Outcome {
    if (this.#reason && !(this.#reason instanceof WorkerStops)) throw this.#reason
    if (this.stage === 'running') this.#owner.move(this, 'committing')
    else if (this.stage !== 'committing') throw this.#reason ?? new LeaseLost()
    return this.#outcomeOf({ status: 'SUCCESSFUL', returnValue })
  }

  #isStronger(reason: TasksError): boolean {
    const current = this.#lateReason ?? this.#reason
    return current === undefined || strengthOf(reason) > strengthOf(current)
  }

  #stop(reason: TasksError, stage: Stage): void {
    this.#reason = reason
    this.#abort?.abort(reason)
    if (stage === 'running' || stage === 'committing') this.#onAbort?.(this)
    else this.#end(aborted(reason, this, false))
  }

  #execute(): Promise<RunOutcome> {
    const { values } = this.row
    const task = tasks.find(values.taskName)
    if (!task && this.#owner.mayBeKnownElsewhere(this.row)) return Promise.resolve(UNKNOWN_HERE)
    try {
      this.policy = policyFor(this.row, task)
      assertYoung(values, this.policy, clock.now() - this.claimedAt)
    } catch (error) {
      return Promise.resolve(failed(error, this))
    }
    return executorOf(task, this.#owner.isolated)(this)
  }

  /** From how the run ended, and why it had to stop, to the outcome of the row, or to none. */
  #end(run: RunOutcome): void {
    this.#over?.abort(OVER)
    this.#isCommitted = run.status === 'SUCCESSFUL' && run.isStored === true
    if (!this.#isCommitted && this.isLost) return this.#owner.move(this, 'gone')
    if (this.#reason instanceof WorkerStops && run.status === 'FAILED' && run.isDueToStop)
      return this.#owner.giveBack(this)
    const judged = this.#judged(run)
    if (judged.status === 'NOT_BEGUN') return this.#owner.giveBackUnbegun(this, judged.error)
    this.#outcome = this.watch.endWith(this.#outcomeOf(judged))
    if (this.stage !== 'ended') this.#owner.move(this, 'ended')
  }

  /** A run that was aborted has failed for that reason, whatever it returned; unless its own transaction has committed. */
  #judged(run: RunOutcome): RunOutcome {
    const reason = this.#reason
    const isLimit = reason instanceof TimeLimitExceeded
    return !this.#isCommitted && (isLimit || reason instanceof TaskCancelled)
      ? aborted(reason, this, isLimit)
      : run
  }

  #outcomeOf(run: Success | Failure): Outcome {
    const { row, progress } = this
    const outcome: Outcome =
      run.status === 'FAILED'
        ? outcomeOf(row, run, this.#owner.maxCrashes)
        : { key: row.key, claims: row.claims, status: run.status, returnValue: run.returnValue }
    return progress === null ? outcome : { ...outcome, progress: JSON.stringify(progress) }
  }
}
