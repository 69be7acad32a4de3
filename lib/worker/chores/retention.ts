import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { Chore, Store } from '../../store'
import { retentionQueryOf } from '../prune-options'
import type { TaskPool } from '../pool/task-pool'

/** Shortest time in ms from the start of a worker to its first look. */
const FIRST_MS = 2 * 60_000
/** Time in ms between two looks. Workers that started together spread their first ones over that time. */
const INTERVAL_MS = 10 * 60_000
const LONGEST_INTERVAL_MS = 60 * 60_000
/** The interval varies by this share. */
const JITTER = 0.3
/** A look reads the whole table, in each worker: a large one is read less often, one hundredth of the time. */
const REST = 100
/** How long in ms a look waits for its worker to have less to do, and in which intervals it asks. */
const PATIENCE_MS = 60_000
const BUSY_MS = 1_000
/** So many looks in a row may end because the worker was busy. Later ones go on beside claims: else the table would grow for ever. */
const MOST_POSTPONED = 10
/** Pause in ms before each statement, of a look that goes on beside claims: at most 5,000 rows a second. */
const SLOW_MS = 100

/**
 * Deletes results that were kept for as long as their tasks, or OPTIONS.retention, say; in all queues. Every worker does this,
 * each at its own times; a row that another one has deleted is not counted. Rows are deleted while this worker has capacity,
 * or has only long tasks: claims have precedence.
 */
export class Retention implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  readonly #isStopping: () => boolean
  /** How many looks in a row ended because the worker was busy, or went on beside claims. */
  #postponed = 0
  /** The number of runs started, when it was last asked whether the worker is busy. */
  #started = 0
  /** Whether that kept the present look waiting; undefined: it had nothing to delete, and has not asked. */
  #wasBusy: boolean | undefined
  /** How long the present look has waited, in ms. */
  #waitedMs = 0

  constructor(store: Store, pool: TaskPool, isStopping: () => boolean) {
    this.#store = store
    this.#pool = pool
    this.#isStopping = isStopping
  }

  async run(signal: AbortSignal): Promise<void> {
    await clock.sleep(FIRST_MS + INTERVAL_MS * Math.random(), signal)
    while (!this.#isOver(signal)) {
      const startedAt = clock.now()
      this.#waitedMs = 0
      await this.#look(signal)
      const tookMs = clock.now() - startedAt - this.#waitedMs
      const interval = Math.min(LONGEST_INTERVAL_MS, Math.max(INTERVAL_MS, REST * tookMs))
      await clock.sleep(interval * (1 - JITTER + 2 * JITTER * Math.random()), signal)
    }
  }

  /** Never throws. */
  async #look(signal: AbortSignal): Promise<void> {
    // Asked anew each time: tasks may be defined after the worker has started.
    const query = retentionQueryOf(this.#pool.backend.retention)
    if (query === undefined) return
    this.#wasBusy = undefined
    try {
      const deleted = await this.#store.prune({ ...query, mayGoOn: () => this.#mayGoOn(signal) })
      if (deleted > 0) log.info(`Pruned ${deleted} task result(s)`)
    } catch (error) {
      log.warn(`Old results could not be pruned: ${briefly(error)}`)
    }
    if (this.#wasBusy !== undefined) this.#postponed = this.#wasBusy ? this.#postponed + 1 : 0
  }

  /** Waits until the worker is not busy, as long as that may take. False if the look is to end. */
  async #mayGoOn(signal: AbortSignal): Promise<boolean> {
    const askedAt = clock.now()
    const isSlow = this.#postponed >= MOST_POSTPONED
    this.#wasBusy ??= false
    while (this.#isBusy() && !this.#isOver(signal)) {
      this.#wasBusy = isSlow || clock.now() - askedAt >= PATIENCE_MS
      await clock.sleep(isSlow ? SLOW_MS : BUSY_MS, signal)
      if (this.#wasBusy) break
    }
    this.#waitedMs += clock.now() - askedAt
    return !this.#isOver(signal) && (isSlow || !this.#wasBusy)
  }

  /** Whether the worker is at its limit, and has started tasks since this was asked before: it claims all the time. */
  #isBusy(): boolean {
    const { free, started } = this.#pool
    const isBusy = free <= 0 && started > this.#started
    this.#started = started
    return isBusy
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#isStopping()
  }
}
