import { clock, OVER } from '../clock'
import { log } from '../events/logger'
import { LeaseLost, WorkerStops } from '../errors/run-errors'
import { ABORT_GRACE_MS, aborted } from '../execution/abort'
import { LONGEST_TIMER_MS } from '../errors/option-checks'
import { Exchanges, turn } from './exchanges'
import { giveBack, sayAwaited, sayUnfinished } from './give-back'
import type { TaskPool } from './pool/task-pool'
import type { Chore, Wakeup } from '../store'
import type { ClaimingStore } from './stores/claiming-store'
import { serves, type WorkerSettings } from './worker-options'

/** Delay in ms before outcomes are handed in again, when the worker ends. */
const AGAIN_MS = 100
/** Time in ms for chores and connections to end. */
const CLOSE_MS = 3_000
/** Time in ms to release rows at last, where the backend has not answered in all the time before. */
const SILENT_MS = 1_000
/** Time in ms to release rows on a forced exit, and for all else to end where the backend does not answer. */
const FORCED_MS = 500

/** What a worker did, in the end. */
export interface WorkerReport {
  /** Runs that were started. */
  readonly started: number
  /** Runs that did not end in time at a stop; their rows were given back. */
  readonly abandoned: number
}

/** The loop: claims rows, runs them side by side, hands in their outcomes. */
export class Worker {
  readonly #store: ClaimingStore
  readonly #settings: WorkerSettings
  readonly #pool: TaskPool
  readonly #chores: readonly Chore[]
  readonly #exchanges: Exchanges
  readonly #stopping = new AbortController()
  #abandoned = 0
  /** Rows are given back in a forced stop. */
  #forced: Promise<unknown> | undefined
  /** A stop gives rows back. */
  #returning: Promise<unknown> | undefined
  /** The exchange that is under way; none is begun beside it. */
  #asked: Promise<number | undefined> | undefined
  /** It has been stopped for `shutdownTimeout`. */
  readonly #overdue = new AbortController()
  /** The store has answered at last. */
  #isHeard = true

  /** `chores` go on beside the loop until it holds no rows any more. */
  constructor(
    store: ClaimingStore,
    settings: WorkerSettings,
    pool: TaskPool,
    chores: readonly Chore[],
  ) {
    this.#store = store
    this.#settings = settings
    this.#pool = pool
    this.#chores = chores
    this.#exchanges = new Exchanges(store, settings, pool, this.#stopping.signal)
  }

  /** It claims no more. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  /** It takes no more rows until a task ends. */
  get isFull(): boolean {
    return this.#exchanges.limit === 0
  }

  /** No more claims; what runs is finished first. */
  stop(): void {
    this.#stopping.abort()
  }

  /** What the store hears before it is asked. */
  hear(wakeup: Wakeup): void {
    for (const chore of this.#chores) chore.hear?.(wakeup)
    if (wakeup.what === 'cancel') this.#pool.ask(wakeup.key)
    else if (wakeup.what === 'ready' && serves(this.#settings, wakeup.queue)) this.look()
  }

  /** Polls soon: there may be rows that are due. */
  look(): void {
    this.#exchanges.polling.wake()
    this.#pool.wake()
  }

  /** Gives all rows back at once, if the database answers soon: for a process that is about to end. */
  async forceStop(): Promise<WorkerReport> {
    this.stop()
    this.#forced ??= this.#giveUp()
    // A sleep that went on would keep the process.
    const done = new AbortController()
    await Promise.race([this.#forced, clock.sleep(FORCED_MS, done.signal)])
    done.abort(OVER)
    return this.#report()
  }

  /** Before the connections are closed, which the loop does as soon as nothing runs. What a claim under way brings is given back, too. */
  #giveUp(): Promise<unknown> {
    const { rows, unfinished, killed } = this.#pool.abandon()
    this.#abandoned += unfinished
    this.#pool.wake()
    const released = killed.then(() => this.#store.release(rows))
    return Promise.allSettled([released, this.#asked, this.#returning])
  }

  /** Runs until stopped, or in a batch until nothing is left. Rejects if a batch cannot reach its database, and with errors that no retry can fix. */
  async run(): Promise<WorkerReport> {
    const { workerId, queues, startupDelay } = this.#settings
    log.info(`Starting worker worker_id=${workerId} queues=${queues?.join(',') ?? '*'}`)
    const drained = new AbortController()
    void this.#timeStop(drained.signal)
    const chores = this.#chores.map((chore) => chore.run(drained.signal))
    try {
      await clock.sleep(startupDelay * Math.random(), this.#stopping.signal)
      await this.#work()
      await this.#drain()
      return this.#report()
    } catch (error) {
      // No retry can fix it, such as a missing table: nothing of what runs could be stored.
      this.#pool.stop(new LeaseLost())
      throw error
    } finally {
      drained.abort()
      await this.#close(chores)
    }
  }

  /** A database that does not answer must not keep the process. */
  async #close(chores: readonly Promise<void>[]): Promise<void> {
    const done = new AbortController()
    const patience = this.#isHeard ? CLOSE_MS : FORCED_MS
    // What comes of an exchange that was left is given back.
    const asked = this.#asked?.catch(() => {})
    const ending = Promise.all([...chores, this.#pool.close(), this.#forced, asked])
    const closing = ending.then(() => this.#store.close())
    await Promise.race([closing, clock.sleep(patience, done.signal)]).finally(() => done.abort())
  }

  #report(): WorkerReport {
    return { started: this.#pool.started, abandoned: this.#abandoned }
  }

  async #work(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { limit } = this.#exchanges
      const claimed = await this.#ask(limit, this.#overdue.signal)
      if (this.#hasTakenAll()) break
      if (this.#isAtEnd(claimed, limit) && (await this.#isEmpty())) break
      await this.#rest(claimed, claimed === limit)
    }
  }

  #hasTakenAll(): boolean {
    const { maxTasks } = this.#settings
    if (this.#pool.taken < maxTasks) return false
    log.info(`Run maximum tasks (${maxTasks})`)
    return true
  }

  #isAtEnd(claimed: number | undefined, limit: number): boolean {
    return this.#settings.batch && claimed === 0 && limit !== 0 && !this.#exchanges.isBusy
  }

  /** Whether no chore makes a row due any more. */
  async #isEmpty(): Promise<boolean> {
    const { signal } = this.#stopping
    const over = new AbortController()
    const stopped = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { signal: over.signal }),
    )
    const busy = (): Promise<void>[] => this.#chores.flatMap((chore) => chore.busy ?? [])
    // What ends may have begun something else.
    for (let under = busy(); under.length > 0 && !signal.aborted; under = busy())
      await Promise.race([Promise.all(under), stopped])
    over.abort(OVER)
    if (signal.aborted || this.#exchanges.isBusy) return false
    log.info(`No more tasks to run for worker_id=${this.#settings.workerId}. Exiting gracefully.`)
    return true
  }

  /** Until a task ends, the worker is stopped, or it is time to poll again: at once, if as many rows were claimed as asked for. */
  async #rest(claimed: number | undefined, wasFull: boolean): Promise<void> {
    const exchanges = this.#exchanges
    if (claimed === undefined) return clock.sleep(exchanges.retryDelay, this.#stopping.signal)
    const isFull = exchanges.limit === 0
    // Rows just claimed start when outcomes, and the next claim, are on their way.
    if (this.#pool.ended > 0 || (wasFull && !isFull)) return turn()
    this.#pool.start()
    // A batch polls also while tasks run, for they may wait for what they enqueued.
    if (isFull || !exchanges.polling.isWoken)
      await this.#pool.change(exchanges.pollDelay, this.#stopping.signal)
    // All tasks that end in this turn of the event loop are handed in with one statement.
    await turn()
  }

  /** Finishes what runs. Once stopped, aborts it after `shutdownTimeout`, and at last gives the rows back. */
  async #drain(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#pool.start()
    await this.#handIn(this.#overdue.signal, this.#stopping.signal)
    await Promise.race([this.#exchanges.ended(), aborted(this.#overdue.signal)])
    this.stop()
    this.#returning = giveBack(this.#store, this.#pool.unstarted())
    await this.#returning
    sayAwaited(this.#pool.busy, this.#settings.shutdownTimeout)
    await this.#handIn(this.#overdue.signal)
    if (this.#pool.busy > 0) await this.#abort()
    const { rows, unfinished, killed } = this.#pool.abandon()
    sayUnfinished(rows)
    const patience = this.#asked && SILENT_MS
    const returning = killed.then(() => giveBack(this.#store, rows, undefined, patience))
    this.#returning = returning
    this.#isHeard = await returning
    this.#abandoned += unfinished
  }

  /** What runs has a moment more. */
  async #abort(): Promise<void> {
    this.#pool.stop(new WorkerStops())
    const [over, done] = [new AbortController(), new AbortController()]
    void clock.sleep(ABORT_GRACE_MS, done.signal).then(() => over.abort(OVER))
    await this.#handIn(over.signal)
    done.abort(OVER)
  }

  /** Hands in outcomes until no rows are held, or one of the signals aborts. */
  async #handIn(over: AbortSignal, signal?: AbortSignal): Promise<void> {
    const wake = (): void => this.#pool.wake()
    over.addEventListener('abort', wake, { once: true })
    while (this.#pool.busy > 0 && !over.aborted && !signal?.aborted) {
      if (this.#pool.ended === 0) await this.#pool.change(LONGEST_TIMER_MS, signal)
      else if ((await this.#ask(undefined, over)) === undefined) await clock.sleep(AGAIN_MS, over)
    }
    over.removeEventListener('abort', wake)
  }

  /** As `run` of the exchanges; undefined once it is over, too: a backend that does not answer must not keep a worker that is stopped. */
  async #ask(limit: number | undefined, over: AbortSignal): Promise<number | undefined> {
    this.#asked ??= this.#exchanges.run(limit).finally(() => (this.#asked = undefined))
    const asked = this.#asked
    const done = new AbortController()
    const late = aborted(over, done.signal).then(() => undefined)
    return Promise.race([asked, late]).finally(() => done.abort(OVER))
  }

  /** The time for what runs begins with the stop. */
  async #timeStop(ended: AbortSignal): Promise<void> {
    await aborted(this.#stopping.signal)
    await clock.sleep(Math.min(this.#settings.shutdownTimeout, LONGEST_TIMER_MS), ended)
    this.#overdue.abort(OVER)
  }
}
