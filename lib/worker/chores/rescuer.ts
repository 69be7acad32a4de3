import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import { afterCrash } from '../../execution/retry'
import type { Store } from '../../store'

/** At most so many milliseconds between looks, however long the lease. */
const SLOWEST = 10_000
/** Workers that were started together shall not look together. */
const JITTER = 0.3

/** A chore beside the worker: looks for rows whose workers are gone, and takes them over. Every worker does; no two take the same row. */
export class Rescuer {
  readonly #store: Store
  readonly #before: () => Promise<void>
  readonly #closed = new AbortController()

  /** Each look waits for `before`: a process that stood still wakes up with all of its timers at once, and would take for left behind what it has not renewed yet. */
  constructor(store: Store, before: () => Promise<void>) {
    this.#store = store
    this.#before = before
  }

  /** Goes on until closed. */
  async watch(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await this.#before()
      await this.#look()
      await clock.sleep(
        this.#interval * (1 - JITTER + 2 * JITTER * Math.random()),
        this.#closed.signal,
      )
    }
  }

  close(): void {
    this.#closed.abort()
  }

  get #interval(): number {
    return Math.min(SLOWEST, (this.#store.leaseSeconds * 1000) / 3)
  }

  async #look(): Promise<void> {
    try {
      // One look takes some rows only: as long as there were any there may be more.
      for (let found = 1; found > 0 && !this.#closed.signal.aborted;) {
        const { released, failed } = await this.#store.rescue((row) =>
          afterCrash(row, this.#store.maxCrashes),
        )
        for (const id of released)
          log.warn(`Task id=${id} was left behind by its worker and runs again`)
        for (const id of failed)
          log.error(`Task id=${id} was left behind by its worker and is FAILED`)
        found = released.length + failed.length
      }
    } catch (error) {
      log.warn(`Could not look for tasks that were left behind: ${briefly(error)}`)
    }
  }
}
