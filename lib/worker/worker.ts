import type { Chore } from './chores/chore'
import { clock } from '../clock'
import { log } from '../events/logger'
import { DataSourceError, TasksError } from '../errors/errors'
import { LeaseLost, WorkerStops } from '../errors/run-errors'
import { ABORT_GRACE_MS } from '../execution/abort'
import { giveBack, sayAwaited, sayUnfinished } from './give-back'
import { type Admission, Intake, Polling } from './intake'
import type { TaskPool } from './pool/task-pool'
import type { Exchange, Wakeup, Store, ClaimFilter } from '../store'
import type { WorkerSettings } from './worker-options'

/** Initial delay in ms before the database is asked again after an error; doubles up to `MAX_RETRY_MS`. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 10_000
/** Time in ms that a missing table has to come back before the worker ends, and the delay in ms between two looks. */
const BROKEN_MS = 2_500
const BROKEN_RETRY_MS = 250
/** Failed exchanges in a row before a batch worker fails; other workers try for ever. */
const BATCH_TRIES = 5
/** Time in ms for chores and connections to end. */
const CLOSE_MS = 3_000
/** Time in ms to release rows on a forced exit. */
const FORCED_RELEASE_MS = 500

/** What a worker did, in the end. */
export interface WorkerReport {
  /** Runs that were started. */
  readonly started: number
  /** Runs that did not end in time at a stop; their rows were given back. */
  readonly abandoned: number
}

/** The loop: claims rows, runs them side by side, hands in their outcomes. */
export class Worker {
  readonly #store: Store
  readonly #settings: WorkerSettings
  readonly #pool: TaskPool
  readonly #chores: readonly Chore[]
  readonly #filter: ClaimFilter
  readonly #intake: Intake
  readonly #polling = new Polling()
  readonly #stopping = new AbortController()
  #failures = 0
  /** When the table was first found missing, in ms of the monotonic clock. */
  #brokenSince: number | undefined
  #abandoned = 0
  /** Rows are given back in a forced stop. */
  #forced: Promise<unknown> | undefined

  /** `chores` go on beside the loop until it holds no rows any more. */
  constructor(store: Store, settings: WorkerSettings, pool: TaskPool, chores: readonly Chore[]) {
    this.#store = store
    this.#settings = settings
    this.#pool = pool
    this.#chores = chores
    this.#intake = new Intake(pool, settings, store.maxCrashes)
    const { workerId, queues, excludeQueues, hasRandomId } = settings
    const held = () => pool.known()
    this.#filter = { workerId, queues, excludeQueues, ...(hasRandomId && { held }) }
  }

  /** It claims no more. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  /** No more claims; what runs is finished first. */
  stop(): void {
    this.#stopping.abort()
  }

  /** What the store hears before it is asked. */
  hear(wakeup: Wakeup): void {
    if (wakeup.what === 'cancel') return this.#pool.ask(wakeup.key)
    if (!serves(this.#settings, wakeup.queue)) return
    this.#polling.wake()
    this.#pool.wake()
  }

  /** Gives all rows back at once, if the database answers soon: for a process that is about to end. */
  async forceStop(): Promise<WorkerReport> {
    this.stop()
    const { rows, unfinished, killed } = this.#pool.abandon()
    this.#abandoned += unfinished
    // Before the connections are closed, which the loop does as soon as nothing runs.
    this.#forced = killed.then(() => this.#store.release(rows)).catch(() => 0)
    await Promise.race([this.#forced, clock.sleep(FORCED_RELEASE_MS)])
    return this.#report()
  }

  /** Runs until stopped, or in a batch until nothing is left. Rejects if a batch cannot reach its database, and with errors that no retry can fix. */
  async run(): Promise<WorkerReport> {
    const { workerId, queues, startupDelay } = this.#settings
    log.info(`Starting worker worker_id=${workerId} queues=${queues?.join(',') ?? '*'}`)
    const drained = new AbortController()
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
    const ending = Promise.all([...chores, this.#pool.close(), this.#forced])
    const closing = ending.then(() => this.#store.close())
    await Promise.race([closing, clock.sleep(CLOSE_MS, done.signal)]).finally(() => done.abort())
  }

  #report(): WorkerReport {
    return { started: this.#pool.started, abandoned: this.#abandoned }
  }

  async #work(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const limit = this.#limit()
      const claimed = await this.#exchange(limit)
      if (this.#isDone(claimed, limit)) break
      await this.#rest(claimed, claimed === limit)
    }
  }

  /** Hands in outcomes and claims up to `limit` rows; gives the number claimed, or undefined if the database could not be reached. */
  async #exchange(limit = this.#limit()): Promise<number | undefined> {
    const outcomes = this.#pool.outcomes()
    this.#polling.begin()
    const askedAt = clock.now()
    try {
      const answer = this.#store.exchange(outcomes, limit, this.#filter)
      // Tasks run while the database is at work.
      this.#pool.start()
      const exchange = await answer
      this.#intake.measure(askedAt, outcomes.length)
      this.#polling.end(outcomes, limit, exchange.claimed.length)
      await this.#take(exchange, askedAt)
      if (exchange.failure !== undefined) throw exchange.failure
      this.#failures = 0
      this.#brokenSince = undefined
      return exchange.claimed.length
    } catch (error) {
      this.#pool.pause()
      if (this.#isFinal(error)) throw error
      this.#failures++
      log.error(
        `The database did not answer (${this.#failures}): ${error instanceof Error ? error.message : String(error)}`,
      )
      if (this.#settings.batch && this.#failures >= BATCH_TRIES) throw error
      return undefined
    }
  }

  /** Whether no retry can fix it. A table that is not there may be back in a moment, as during a migration. */
  #isFinal(error: unknown): boolean {
    if (!(error instanceof TasksError)) return false
    if (this.#settings.batch || !(error instanceof DataSourceError)) return true
    this.#brokenSince ??= clock.now()
    return clock.now() - this.#brokenSince >= BROKEN_MS
  }

  async #take({ answers, claimed }: Exchange, askedAt: number): Promise<void> {
    const isStopping = this.#stopping.signal.aborted
    this.#pool.settle(answers)
    const { kept, returned, postponed }: Admission = isStopping
      ? { kept: [], returned: claimed, postponed: [] }
      : this.#intake.admit(claimed)
    // Before the others start, one of which may end the process.
    if (returned.length > 0) await giveBack(this.#store, returned)
    if (postponed.length > 0) await giveBack(this.#store, postponed, this.#intake.postponedMs)
    this.#pool.take(kept, askedAt)
  }

  /** How many rows to claim. */
  #limit(): number {
    return this.#stopping.signal.aborted ? 0 : this.#intake.limit
  }

  #isDone(claimed: number | undefined, limit: number): boolean {
    const { batch, maxTasks, workerId } = this.#settings
    if (this.#pool.taken >= maxTasks) {
      log.info(`Run maximum tasks (${maxTasks})`)
      return true
    }
    if (!batch || claimed !== 0 || limit === 0) return false
    if (this.#pool.busy > 0 || this.#polling.isWoken || this.#intake.owes) return false
    log.info(`No more tasks to run for worker_id=${workerId}. Exiting gracefully.`)
    return true
  }

  /** Until a task ends, the worker is stopped, or it is time to poll again: at once, if as many rows were claimed as asked for. */
  async #rest(claimed: number | undefined, wasFull: boolean): Promise<void> {
    if (claimed === undefined) return clock.sleep(this.#retryDelay(), this.#stopping.signal)
    const isFull = this.#limit() === 0
    // Rows just claimed start when outcomes, and the next claim, are on their way.
    if (this.#pool.hasOutcomes || (wasFull && !isFull)) return turn()
    this.#pool.start()
    // A full worker polls only when a task has ended. A batch polls also while tasks run, for they may wait for what they enqueued.
    const delay = isFull ? this.#intake.fullMs : this.#polling.delay(this.#settings.interval)
    if (isFull || !this.#polling.isWoken) await this.#pool.change(delay, this.#stopping.signal)
    // All tasks that end in this turn of the event loop are handed in with one statement.
    await turn()
  }

  #retryDelay(): number {
    if (this.#brokenSince !== undefined) return BROKEN_RETRY_MS
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures)
    return delay * (0.5 + Math.random())
  }

  /** Finishes what runs. Once stopped, aborts it after `shutdownTimeout`, and at last gives the rows back. */
  async #drain(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#pool.start()
    await this.#handIn(Number.POSITIVE_INFINITY, this.#stopping.signal)
    this.stop()
    await giveBack(this.#store, this.#pool.unstarted())
    sayAwaited(this.#pool.busy, this.#settings.shutdownTimeout)
    await this.#handIn(this.#settings.shutdownTimeout)
    if (this.#pool.busy > 0) {
      this.#pool.stop(new WorkerStops())
      await this.#handIn(ABORT_GRACE_MS)
    }
    const { rows, unfinished, killed } = this.#pool.abandon()
    await killed
    sayUnfinished(rows)
    await giveBack(this.#store, rows)
    this.#abandoned += unfinished
  }

  /** Hands in outcomes until no rows are held, for at most `patienceMs`, or until `signal` aborts. */
  async #handIn(patienceMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = clock.now() + patienceMs
    while (this.#pool.busy > 0 && clock.now() < deadline && !signal?.aborted) {
      if (!this.#pool.hasOutcomes) await this.#pool.change(deadline - clock.now(), signal)
      else if ((await this.#exchange()) === undefined) await clock.sleep(FIRST_RETRY_MS)
    }
  }
}

/** Lets timers, signals and other work of the process come in between, also where the database answers in the same turn, as SQLite does. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

function serves({ queues, excludeQueues }: WorkerSettings, queue: string): boolean {
  return queues === null ? !excludeQueues.includes(queue) : queues.includes(queue)
}
