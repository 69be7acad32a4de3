import type { TaskBackend } from '../../backend'
import { clock, OVER } from '../../clock'
import type { TasksError } from '../../errors/errors'
import { LONGEST_TIMER_MS } from '../../errors/option-checks'
import { LeaseLost, TaskCancelled } from '../../errors/run-errors'
import type { Children } from '../../isolation/process-pool'
import type { Executor } from '../../execution/executor'
import { inFreshContext } from '../../execution/run-context'
import { log } from '../../events/logger'
import { ClaimedTask, type Owner } from './claimed-task'
import { LostRows } from './lost-rows'
import { StageLists } from './stage-lists'
import type { LeaseAnswer, LiveStage, PoolListeners, Stage } from './stages'
import type { ClaimedRow, Held, Outcome, OutcomeAnswer } from '../../store'

/** Delay in ms before an outcome that could not be stored is handed in again. */
const LATER_MS = 250

/**
 * Holds claimed rows until their outcome is stored. Runs up to `size` at once; the rest wait, so that the next one starts
 * the moment that one ends. A task is in one list at a time, that of its stage, and only the pool moves it.
 */
export class TaskPool implements Owner {
  readonly backend: TaskBackend
  readonly isolated: Executor | null
  readonly maxCrashes: number
  readonly #size: number
  readonly #children: Children | null
  readonly #lists = new StageLists<ClaimedTask>()
  /** Rows that ended only because the worker stops. */
  #toReturn: ClaimedRow[] = []
  /** What becomes of a task that could not begin, which counts as running until it is moved on: `ReturnUnbegun` sets it. */
  giveBackUnbegun: Owner['giveBackUnbegun'] = (task) => this.giveBack(task)
  /** Whether a row whose task is not defined here is given back. */
  mayBeKnownElsewhere: Owner['mayBeKnownElsewhere'] = () => false
  readonly #lost = new LostRows()
  #started = 0
  #isPaused = false
  #onWake: (() => void) | undefined
  readonly #listeners: PoolListeners = { unsure: () => {}, finished: () => {} }

  /** `children`: carries out isolated tasks in child processes; null where the worker has none. */
  constructor(backend: TaskBackend, size: number, children: Children | null, maxCrashes: number) {
    this.backend = backend
    this.maxCrashes = maxCrashes
    this.#size = size
    this.#children = children
    this.isolated = children?.run ?? null
  }

  /** Rows that are not stored or given back yet. */
  get busy(): number {
    return this.#lists.size
  }

  /** How many more could run now; negative where rows wait. */
  get free(): number {
    return this.#size - this.#lists.active - this.#lists.waiting.size
  }

  get started(): number {
    return this.#started
  }

  /** Runs that were started, or will be. */
  get taken(): number {
    return this.#started + this.#lists.waiting.size
  }

  /** Outcomes to be sent. */
  get ended(): number {
    return this.#lists.ended.size
  }

  at(stage: LiveStage): ClaimedTask[] {
    return this.#lists[stage].all()
  }

  /** The tasks whose leases this worker has to renew. */
  held(): ClaimedTask[] {
    return this.#lists.all().filter((task) => !task.isLost)
  }

  /** The rows that were claimed and are not stored or given back, also those that were lost: their runs may have begun. */
  known(): Held[] {
    return [...this.#lists.all().map(({ row }) => row), ...this.#lost.all]
  }

  /** Each has one listener, the latest. */
  listen(listeners: Partial<PoolListeners>): void {
    Object.assign(this.#listeners, listeners)
  }

  /** Takes in rows that were asked for at `claimedAt`; `start` starts them. */
  take(rows: readonly ClaimedRow[], claimedAt: number): void {
    for (const row of rows) this.#lists.waiting.add(new ClaimedTask(this, row, claimedAt))
    this.#isPaused = false
  }

  /** Starts as many as may run; never fails, whatever the tasks do. */
  start(): void {
    while (!this.#isPaused && this.#lists.active < this.#size) {
      const task = this.#lists.waiting.first
      if (!task) return
      this.#lists.move(task, 'running')
      this.#started++
      inFreshContext(() => task.run())
    }
  }

  move(task: ClaimedTask, stage: Stage): void {
    if (stage === 'gone' && task.isLost) this.#remember(task)
    this.#lists.move(task, stage)
    if (stage !== 'ended' && stage !== 'gone') return
    this.start()
    this.wake()
  }

  giveBack(task: ClaimedTask): void {
    task.watch.end('released')
    this.#toReturn.push(task.row)
    this.move(task, 'gone')
  }

  /** The rows that have not started, or only those that have waited for `ms` and are meant, taken out to be given back. */
  unstarted(ms = 0, isMeant = (_row: ClaimedRow): boolean => true): ClaimedRow[] {
    const all = this.#lists.waiting.all()
    const tasks = all.filter(({ row, takenAt }) => takenAt <= clock.now() - ms && isMeant(row))
    for (const task of tasks) this.#lists.move(task, 'gone')
    return tasks.map(({ row }) => row)
  }

  /** The tasks that ended, whose outcomes are now sent to the database; `settle` or `pause` must follow. */
  send(): ClaimedTask[] {
    // The same order in every worker, so that no two statements wait for each other's rows.
    const ended = this.#lists.ended.all().sort((a, b) => (a.row.key < b.row.key ? -1 : 1))
    for (const task of ended) this.#lists.move(task, 'sent')
    return ended
  }

  /** The answers to the outcomes of these tasks, in their order. */
  settle(tasks: readonly ClaimedTask[], answers: readonly OutcomeAnswer[]): void {
    // Those of an abandoned pool are gone.
    for (const [i, task] of tasks.entries())
      if (task.stage === 'sent') this.#settle(task, answers[i])
    const doubted = tasks.filter(({ stage }) => stage === 'doubted')
    if (doubted.length > 0) this.#listeners.unsure(doubted.map(({ row }) => row.key))
    const deferred = tasks.filter(({ stage }) => stage === 'deferred')
    if (deferred.length > 0) void clock.sleep(LATER_MS).then(() => this.#handInAgain(deferred))
  }

  /** There was no answer to these outcomes: they are sent again. Until the next `take` nothing is started that would add to them. */
  pause(tasks: readonly ClaimedTask[]): void {
    this.#isPaused = true
    for (const task of tasks)
      if (task.stage === 'sent' && !task.applyLateReason()) this.#lists.move(task, 'ended')
  }

  /** What a renewal says of the row of a task. */
  hear(task: ClaimedTask, { askedAt, wasDoubted, isCancelled, lost }: LeaseAnswer): void {
    if (isCancelled && !lost) task.stop(new TaskCancelled())
    else if (lost) this.#lose(task, lost.claimsNow)
    // An answer from before the refusal does not explain it.
    else if (wasDoubted && task.stage === 'doubted') this.#lose(task)
    task.renewed(askedAt)
  }

  /** Somebody says that the row with this key was cancelled: a renewal should ask. */
  ask(key: string): void {
    this.#listeners.unsure([key])
  }

  /** Resolves when a task has ended, on `wake`, after `ms`, or when `signal` aborts. */
  async change(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.ended > 0 || signal?.aborted) return
    const changed = new AbortController()
    this.#onWake = () => changed.abort(OVER)
    // Not AbortSignal.any, which keeps something of every signal it ever made (measured: 75 bytes a call, on Node 20).
    signal?.addEventListener('abort', this.#onWake, { once: true })
    await clock.sleep(Math.min(ms, LONGEST_TIMER_MS), changed.signal)
    signal?.removeEventListener('abort', this.#onWake)
    this.#onWake = undefined
  }

  /** Ends a `change`. */
  wake(): void {
    this.#onWake?.()
  }

  /** Tells every task to stop. */
  stop(reason: TasksError): void {
    for (const task of this.#lists.all()) task.stop(reason)
  }

  /**
   * Gives up on all tasks. Gives the rows to be given back, those included that ended because the worker stops, and how
   * many runs did not end. None goes on in a child process once `killed` has resolved.
   */
  abandon(): { rows: ClaimedRow[]; unfinished: number; killed: Promise<void> } {
    const held = this.held().map(({ row }) => row)
    const rows = [...this.#toReturn, ...held]
    this.#toReturn = []
    for (const { watch } of this.#lists.all()) watch.end('released')
    for (const task of this.#lists.all()) this.#lists.move(task, 'gone')
    return { rows, unfinished: held.length, killed: this.#children?.kill() ?? Promise.resolve() }
  }

  /** Leaves no child process behind. */
  async close(): Promise<void> {
    await this.#children?.close()
  }

  #settle(task: ClaimedTask, answer: OutcomeAnswer | undefined): void {
    if (answer === 'kept') this.#finish(task, task.outcome)
    else if (answer === 'later') this.#defer(task)
    else if (answer === undefined || answer === 'refused') this.#refused(task)
    else this.#finish(task, answer)
  }

  #defer(task: ClaimedTask): void {
    if (!task.applyLateReason()) this.#lists.move(task, 'deferred')
  }

  #handInAgain(tasks: readonly ClaimedTask[]): void {
    for (const task of tasks) if (task.stage === 'deferred') this.move(task, 'ended')
  }

  /** Why the database refused an outcome is known if the task was told meanwhile; else a renewal must tell. */
  #refused(task: ClaimedTask): void {
    if (task.applyLateReason()) return
    task.dropOutcome()
    this.#lists.move(task, 'doubted')
  }

  #remember(task: ClaimedTask): void {
    this.#lost.remember(task.row)
    task.watch.lose(this.backend, task.row)
  }

  /** The row is another worker's now: the run is told, and its outcome discarded. */
  #lose(task: ClaimedTask, claimsNow?: number): void {
    const { stage, isLost } = task
    // One with an outcome may be lost only because that outcome is stored: the answer to the outcome tells.
    if (isLost || !['waiting', 'running', 'doubted'].includes(stage)) return
    const { claims } = task.row
    const by = claimsNow === undefined || claimsNow === claims ? '' : ` by claim ${claimsNow}`
    const why = claimsNow === 0 ? this.backend.whenGone : `was taken over meanwhile${by}`
    log.warn(`${task.name} ${why}; the result of claim ${claims} is discarded`)
    task.stop(new LeaseLost())
  }

  /** The outcome is stored: tells the log and listeners. */
  #finish(task: ClaimedTask, outcome: Outcome): void {
    this.#lists.move(task, 'gone')
    if (outcome.status !== 'READY') this.#listeners.finished(task.row)
    task.watch.stored(this.backend, task.row, outcome)
  }
}
