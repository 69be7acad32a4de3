import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { Slots } from '../task-pool'
import type { Store } from '../../store'

/** Rows that have waited here for so many milliseconds are better off with another worker. */
const LONGEST_WAIT = 1_000
const LOOK = 500

/** A chore beside the worker: what was claimed ahead, and finds no room after all since tasks before it take long, is given back. */
export class Backlog {
  readonly #store: Store
  readonly #slots: Slots
  readonly #closed = new AbortController()

  constructor(store: Store, slots: Slots) {
    this.#store = store
    this.#slots = slots
  }

  /** Goes on until closed. */
  async watch(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await clock.sleep(LOOK, this.#closed.signal)
      if (!this.#closed.signal.aborted) await this.giveBack(LONGEST_WAIT)
    }
  }

  close(): void {
    this.#closed.abort()
  }

  /** Gives back what has waited for `ms`; never throws, for leases end by themselves. */
  async giveBack(ms = 0): Promise<void> {
    const rows = this.#slots.unstarted(ms)
    if (rows.length === 0) return
    try {
      await this.#store.release(rows)
    } catch (error) {
      log.warn(
        `${rows.length} task(s) that had not started could not be given back: ${briefly(error)}`,
      )
    }
  }
}
