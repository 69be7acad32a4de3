import { setMaxListeners } from 'node:events'
import { clock, inTime } from '../../clock'
import { LeaseLost } from '../../errors/run-errors'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { ClaimedTask } from '../claimed-task'
import type { TaskPool } from '../task-pool'
import type { Held, Renewed, Store } from '../../store'
import type { Chore } from './chore'

/** Longest time in ms until reported progress is written: often enough for a progress bar, whatever a task reports. */
const PROGRESS_INTERVAL_MS = 500

/**
 * Renews the leases of all held rows every third of a lease, by one statement, which also writes the progress that tasks
 * report. Its answer tells which rows are lost, and which were cancelled.
 */
export class Leases implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  #signal: AbortSignal | undefined
  #renewedAt = clock.now()
  /** The renewal of all rows that is under way. */
  #renewing: Promise<void> = Promise.resolve()

  /** From now on it also renews, at once, the rows that the pool is unsure of. */
  constructor(store: Store, pool: TaskPool) {
    this.#store = store
    this.#pool = pool
    pool.whenUnsure((tasks) => void this.#renew(tasks))
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    // One sleeper for each row whose lease is about to end is no leak.
    setMaxListeners(0, signal)
    while (!signal.aborted) {
      await clock.sleep(Math.min(PROGRESS_INTERVAL_MS, this.#periodMs), signal)
      if (clock.now() - this.#renewedAt >= this.#periodMs) await this.renewAll()
      else await this.#renew(this.#pool.held().filter((task) => task.hasProgress))
    }
  }

  /** Renews the leases of all held rows; never throws. */
  async renewAll(): Promise<void> {
    this.#renewedAt = clock.now()
    this.#renewing = this.#renew(this.#pool.held())
    await this.#renewing
  }

  /** Resolves when no renewal is due or under way: each held row has been renewed, or was given up. */
  async caughtUp(): Promise<void> {
    if (clock.now() - this.#renewedAt >= this.#periodMs) void this.renewAll()
    await this.#renewing
  }

  async #renew(tasks: readonly ClaimedTask[]): Promise<void> {
    if (tasks.length === 0) return
    const askedAt = clock.now()
    const doubted = new Set(tasks.filter(({ stage }) => stage === 'doubted'))
    const renewed = await this.#ask(tasks)
    if (!renewed) return this.#giveUpOverdue()
    const lost = new Map(renewed.lost.map((row) => [claimOf(row), row]))
    const cancelled = new Set(renewed.cancelled.map(claimOf))
    for (const task of tasks) {
      const claim = claimOf(task.row)
      this.#pool.hear(task, {
        askedAt,
        wasDoubted: doubted.has(task),
        isCancelled: cancelled.has(claim),
        lost: lost.get(claim),
      })
    }
  }

  async #ask(tasks: readonly ClaimedTask[]): Promise<Renewed | undefined> {
    const renewals = tasks.map((task) => task.renewal())
    try {
      // A statement that hangs must not keep the next one from being tried.
      return await inTime(this.#store.renew(renewals), this.#periodMs)
    } catch (error) {
      log.warn(`The leases of ${tasks.length} task(s) could not be renewed: ${briefly(error)}`)
      return undefined
    }
  }

  get #leaseMs(): number {
    return this.#store.leaseSeconds * 1000
  }

  get #periodMs(): number {
    return this.#leaseMs / 3
  }

  /** After a whole lease without renewal another worker may have the row: the task is aborted, and stores nothing. */
  #giveUpOverdue(): void {
    for (const task of this.#pool.held()) {
      const leftMs = task.heldAt + this.#leaseMs - clock.now()
      if (leftMs <= 0) this.#giveUp(task)
      else if (leftMs < this.#periodMs)
        void clock
          .sleep(leftMs, this.#signal)
          .then(() => task.heldAt + this.#leaseMs <= clock.now() && this.#giveUp(task))
    }
  }

  #giveUp(task: ClaimedTask): void {
    if (task.stage === 'gone' || task.isLost) return
    log.warn(`${task.name}: lease not renewed in time: aborting; its result will be discarded`)
    task.stop(new LeaseLost())
  }
}

/** A claim as text: a store may give back copies of what it was handed. */
function claimOf({ key, claims }: Held): string {
  return `${key} ${claims}`
}
