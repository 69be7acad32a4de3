import type { TaskBackend } from './backend'
import { clock } from './clock'
import { LeaseLost, MalformedRowError, MaxAgeExceeded, TaskCancelled, type TasksError, TimeLimitExceeded, WorkerStops } from './errors'
import { DEFAULT_POLICY, type Policy, checkPolicy, overridden } from './policy'
import { type Progress, TaskResult } from './result'
import { tasks } from './registry'
import type { Way } from './run'
import { taskStarted } from './signals'
import { logState } from './state-lines'
import { strengthOf } from './stop-reasons'
import type { ClaimedRow, Outcome, Renewal } from './store'
import { type Terms, type Verdict, failed, stopped } from './verdict'
import { wayOf } from './ways'

/**
 * Where a row stands between its claim and the end of its slot. `completing`: its own transaction says what became of it,
 * and a renewal meanwhile cannot know. `stored`: it has said so. `ended`: there is an outcome to hand in. `doubted`: the
 * fence of the outcome did not hold. `dropped`: nothing of this run is to be written.
 */
type Stage = 'running' | 'completing' | 'stored' | 'ended' | 'doubted' | 'dropped'

/** One claimed row: its run, and what comes of it. */
export class Slot {
  readonly row: ClaimedRow
  /** When the row was last known to be held, on the monotonic scale. */
  heldAt = clock.now()
  /** What came of the run, once it ended; handed in until it is stored. */
  outcome: Outcome | undefined
  readonly #backend: TaskBackend
  readonly #isolated: Way | null
  readonly #changed: () => void
  readonly #abort = new AbortController()
  #stage: Stage = 'running'
  #reason: TasksError | undefined
  #progress: Progress | null = null
  #policy: Policy = DEFAULT_POLICY

  /** `isolated` carries out what asks for a process of its own, where the worker has any. */
  constructor(backend: TaskBackend, row: ClaimedRow, isolated: Way | null, changed: () => void) {
    this.#backend = backend
    this.row = row
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
  async run(): Promise<void> {
    const result = new TaskResult<unknown>(this.#backend, this.row.values)
    logState(result, 'RUNNING')
    taskStarted.send({ backend: this.#backend, result })
    this.#conclude(await this.#verdict(result))
  }

  /** Tells the run to stop, and does not wait for it. */
  stop(reason: TasksError): void {
    if (this.#stage === 'stored' || (this.#reason && strengthOf(reason) <= strengthOf(this.#reason))) return
    // A run that has ended already has an outcome to hand in; a stop of the worker changes nothing about it.
    if (this.#hasEnded && reason instanceof WorkerStops) return
    this.#reason = reason
    if (this.#hasEnded) this.#conclude(stopped(reason, this.#terms, false))
    else this.#abort.abort(reason)
  }

  /** The outcome was not taken: a renewal must say whether the row was cancelled; else it is lost. */
  doubt(): void {
    this.#stage = 'doubted'
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

  get #hasEnded(): boolean {
    return this.#stage !== 'running' && this.#stage !== 'completing'
  }

  get #terms(): Terms {
    return { row: this.row, policy: this.#policy, signal: this.#abort.signal }
  }

  async #verdict(result: TaskResult<unknown>): Promise<Verdict> {
    const { malformed, options, values } = this.row
    if (malformed !== null) return failed(new MalformedRowError(malformed), this.#terms)
    try {
      this.#policy = overridden(tasks.find(values.taskName)?.policy ?? DEFAULT_POLICY, options)
      checkPolicy(values.taskName, this.#policy)
    } catch (error) {
      return failed(error, this.#terms)
    }
    const tooOld = ageError(result, this.#policy)
    return tooOld ? failed(tooOld, this.#terms) : this.#carriedOut()
  }

  async #carriedOut(): Promise<Verdict> {
    const ended = new AbortController()
    const carryOut = wayOf(tasks.find(this.row.values.taskName), this.#isolated)
    const verdict = await carryOut({
      ...this.#terms,
      backend: this.#backend,
      begins: () => this.#limit(ended.signal),
      report: (progress) => void (this.#progress = progress),
      completion: (returnValue) => this.#completion(returnValue),
    })
    ended.abort()
    return verdict
  }

  #limit(ended: AbortSignal): void {
    const { timeLimit } = this.#policy
    if (timeLimit !== null) void clock.sleep(timeLimit, ended).then(() => ended.aborted || this.stop(new TimeLimitExceeded(timeLimit)))
  }

  /** What a transactional run writes itself; a run that was told to stop for good writes nothing. */
  #completion(returnValue: string | null): Outcome {
    if (this.#reason && !(this.#reason instanceof WorkerStops)) throw this.#reason
    this.#stage = 'completing'
    return { ...this.#held(), status: 'SUCCESSFUL', returnValue, ...(this.#progress ? { progress: JSON.stringify(this.#progress) } : {}) }
  }

  /** From how the run went, and why it was told to stop, to what the row shall say. */
  #conclude(verdict: Verdict): void {
    this.#stage = this.#stageAfter(verdict)
    if (this.#stage !== 'dropped') this.outcome = { ...this.#outcomeOf(this.#judged(verdict)), ...this.#lastProgress() }
    this.#changed()
  }

  #stageAfter(verdict: Verdict): Stage {
    const isStored = verdict.status === 'SUCCESSFUL' && verdict.isStored === true
    if (isStored) return 'stored'
    const isGivenUp = this.#reason instanceof WorkerStops && verdict.status === 'FAILED' && verdict.isDueToStop
    return this.isLost || isGivenUp ? 'dropped' : 'ended'
  }

  /** A run that was told to stop has failed for that, whatever it came to; unless its own transaction has said otherwise. */
  #judged(verdict: Verdict): Verdict {
    const reason = this.#reason
    if (this.#stage === 'stored' || !(reason instanceof TaskCancelled || reason instanceof TimeLimitExceeded)) return verdict
    return stopped(reason, this.#terms, reason instanceof TimeLimitExceeded)
  }

  #outcomeOf(verdict: Verdict): Outcome {
    if (verdict.status === 'SUCCESSFUL') return { ...this.#held(), status: 'SUCCESSFUL', returnValue: verdict.returnValue }
    const { error, delay } = verdict
    return delay === null ? { ...this.#held(), status: 'FAILED', error } : { ...this.#held(), status: 'READY', error, delay }
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
function ageError({ startedAt, enqueuedAt, runAfter }: TaskResult<unknown>, { maxAge }: Policy): MaxAgeExceeded | undefined {
  if (maxAge === null || startedAt === null || enqueuedAt === null) return undefined
  const age = startedAt.getTime() - Math.max(enqueuedAt.getTime(), runAfter?.getTime() ?? 0)
  return age > maxAge ? new MaxAgeExceeded(age, maxAge) : undefined
}
