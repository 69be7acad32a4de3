import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { TaskPool } from '../pool/task-pool'
import type { Chore, ClaimedRow, Store } from '../../store'

/** Rows that have waited here for this long, in ms, are better off with another worker. */
const MAX_WAIT_MS = 1_000
const INTERVAL_MS = 500

/** Gives back rows that were prefetched and did not start in time, because the tasks before them are slow. */
export class ReturnUnstarted implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  /** Those that could not be given back yet. */
  #owed: readonly ClaimedRow[] = []

  constructor(store: Store, pool: TaskPool) {
    this.#store = store
    this.#pool = pool
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal)
      await this.#giveBack(signal.aborted ? [] : this.#pool.unstarted(MAX_WAIT_MS))
    }
  }

  /** Never throws. What could not be given back is tried again: if its lease ended, a crash would be counted for a row that never ran. */
  async #giveBack(unstarted: readonly ClaimedRow[]): Promise<void> {
    const rows = [...this.#owed, ...unstarted]
    if (rows.length === 0) return
    try {
      await this.#store.release(rows)
      this.#owed = []
    } catch (error) {
      this.#owed = rows
      log.warn(`${rows.length} unstarted task(s) could not be given back: ${briefly(error)}`)
    }
  }
}
