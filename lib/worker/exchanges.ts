import { clock } from '../clock'
import { DataSourceError, TasksError } from '../errors/errors'
import { log } from '../events/logger'
import type { ClaimFilter, Exchange } from '../store'
import { giveBack } from './give-back'
import { type Admission, Intake, Polling } from './intake'
import type { ClaimedTask } from './pool/claimed-task'
import type { TaskPool } from './pool/task-pool'
import type { ClaimingStore } from './stores/claiming-store'
import type { WorkerSettings } from './worker-options'

/** Initial delay in ms before the database is asked again after an error; doubles up to `MAX_RETRY_MS`. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 10_000
/** Time in ms that a missing table has to come back before the worker ends, and the delay in ms between two looks. */
const BROKEN_MS = 2_500
const BROKEN_RETRY_MS = 250
/** Failed exchanges in a row before a batch worker fails; other workers try for ever. */
const BATCH_TRIES = 5
/**
 * From this many rows to claim, and outcomes, on, outcomes are handed in by exchanges of their own, beside those that claim: the
 * database works on one while the answer of the other is read. Two that claim would pass over each other's rows.
 */
const MANY = 100

/** The worker's talk with its store: hands in outcomes and claims rows. */
export class Exchanges {
  readonly polling = new Polling()
  readonly #store: ClaimingStore
  readonly #settings: WorkerSettings
  readonly #pool: TaskPool
  readonly #stopping: AbortSignal
  readonly #filter: ClaimFilter
  readonly #intake: Intake
  #failures = 0
  /** When the table was first found missing, in ms of the monotonic clock. */
  #brokenSince: number | undefined
  /** The exchanges that hand in beside the loop; undefined: there are none. */
  #handingIn: Promise<void> | undefined

  constructor(
    store: ClaimingStore,
    settings: WorkerSettings,
    pool: TaskPool,
    stopping: AbortSignal,
  ) {
    this.#store = store
    this.#settings = settings
    this.#pool = pool
    this.#stopping = stopping
    this.#intake = new Intake(pool, settings, store.maxCrashes)
    const { workerId, queues, excludeQueues, hasRandomId } = settings
    const held = () => pool.known()
    this.#filter = { workerId, queues, excludeQueues, ...(hasRandomId && { held }) }
  }

  /** How many rows to claim now. */
  get limit(): number {
    return this.#stopping.aborted ? 0 : this.#intake.limit
  }

  /** Delay in ms until the next poll: a full worker polls only when a task has ended. */
  get pollDelay(): number {
    return this.limit === 0 ? this.#intake.fullMs : this.polling.delay(this.#settings.interval)
  }

  /** Delay in ms after a failed exchange. */
  get retryDelay(): number {
    if (this.#brokenSince !== undefined) return BROKEN_RETRY_MS
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures)
    return delay * (0.5 + Math.random())
  }

  /** Whether there may be more rows to run, or some are held. */
  get isBusy(): boolean {
    const { busy } = this.#pool
    return busy > 0 || this.polling.isWoken || this.#intake.owes
  }

  /**
   * Hands in outcomes and claims up to `limit` rows; gives the number claimed, or undefined if the database could not be
   * reached. @throws errors that no retry can fix, and in a batch after some tries all.
   */
  async run(limit = this.limit): Promise<number | undefined> {
    // After trouble the store has to find out what became of the last exchanges, with none beside.
    if (!this.#mayHandIn) await this.ended()
    try {
      return await this.#exchange(limit)
    } catch (error) {
      if (this.#isFinal(error)) throw error
      if (this.#settings.batch && this.#failures >= BATCH_TRIES) throw error
      return undefined
    }
  }

  /** Resolves when no exchange is under way beside those of the loop. */
  async ended(): Promise<void> {
    await this.#handingIn
  }

  async #exchange(limit: number): Promise<number> {
    const tasks = this.#begin(limit)
    const askedAt = clock.now()
    try {
      const outcomes = tasks.map(({ outcome }) => outcome)
      const answer = this.#store.exchange(outcomes, limit, this.#filter)
      // Tasks run while the database is at work.
      this.#pool.start()
      if (limit >= MANY && this.#mayHandIn) this.#handingIn ??= this.#handIn()
      const exchange = await answer
      if (outcomes.length > 0 || !this.#handingIn) this.#intake.measure(askedAt, outcomes.length)
      this.polling.end(outcomes, limit, exchange.claimed.length)
      await this.#take(exchange, tasks, askedAt)
      if (exchange.failure !== undefined) throw exchange.failure
      this.#failures = 0
      this.#brokenSince = undefined
      return exchange.claimed.length
    } catch (error) {
      this.#failed(error, tasks)
      throw error
    }
  }

  /** The tasks whose outcomes are handed in: none by a claim while that is done beside it. */
  #begin(limit: number): ClaimedTask[] {
    if (limit === 0) return this.#pool.send()
    this.polling.begin()
    return this.#handingIn ? [] : this.#pool.send()
  }

  /** Hands in as long as there is enough. Never rejects: the loop meets the same trouble. */
  async #handIn(): Promise<void> {
    try {
      await turn()
      while (this.#mayHandIn && this.#pool.ended >= MANY) {
        await this.#exchange(0)
        // The loop may wait for an outcome to be stored.
        this.#pool.wake()
        await turn()
      }
    } catch {
      // It was told in the log.
    } finally {
      this.#handingIn = undefined
    }
  }

  get #mayHandIn(): boolean {
    return this.#failures === 0 && (this.#store.exchangesAtOnce ?? 1) > 1 && !this.#stopping.aborted
  }

  #failed(error: unknown, tasks: readonly ClaimedTask[]): void {
    this.#pool.pause(tasks)
    this.#failures++
    if (error instanceof DataSourceError) this.#brokenSince ??= clock.now()
    if (this.#isFinal(error)) return
    log.error(
      `The backend did not answer (${this.#failures}): ${error instanceof Error ? error.message : String(error)}`,
    )
  }

  /** Whether no retry can fix it. A table that is not there may be back in a moment, as during a migration. */
  #isFinal(error: unknown): boolean {
    if (!(error instanceof TasksError)) return false
    if (this.#settings.batch || !(error instanceof DataSourceError)) return true
    return clock.now() - (this.#brokenSince ?? clock.now()) >= BROKEN_MS
  }

  async #take(
    { answers, claimed }: Exchange,
    tasks: readonly ClaimedTask[],
    askedAt: number,
  ): Promise<void> {
    this.#pool.settle(tasks, answers)
    const { kept, returned, postponed }: Admission = this.#stopping.aborted
      ? { kept: [], returned: claimed, postponed: [] }
      : this.#intake.admit(claimed)
    // Before the others start, one of which may end the process.
    if (returned.length > 0) await giveBack(this.#store, returned)
    if (postponed.length > 0) await giveBack(this.#store, postponed, this.#intake.postponedMs)
    // Meanwhile the worker may have been stopped, and have given up all that it held.
    if (this.#stopping.aborted) await giveBack(this.#store, kept)
    else this.#pool.take(kept, askedAt)
  }
}

/** Lets timers, signals and other work of the process come in between, also where the database answers in the same turn, as SQLite does. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
