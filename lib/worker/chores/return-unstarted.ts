import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { TaskPool } from '../task-pool'
import type { Store } from '../../store'
import type { Chore } from './chore'

/** Rows that have waited here for this long, in ms, are better off with another worker. */
const MAX_WAIT_MS = 1_000
const INTERVAL_MS = 500

/** Gives back rows that were prefetched and did not start in time, because the tasks before them are slow. */
export class ReturnUnstarted implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool

  constructor(store: Store, pool: TaskPool) {
    this.#store = store
    this.#pool = pool
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal)
      if (!signal.aborted) await this.#giveBack()
    }
  }

  /** Never throws: leases that are not given back end by themselves. */
  async #giveBack(): Promise<void> {
    const rows = this.#pool.unstarted(MAX_WAIT_MS)
    if (rows.length === 0) return
    try {
      await this.#store.release(rows)
    } catch (error) {
      log.warn(`${rows.length} unstarted task(s) could not be given back: ${briefly(error)}`)
    }
  }
}
