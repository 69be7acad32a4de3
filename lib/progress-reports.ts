import { log } from './log'
import type { Slots } from './slots'
import type { Store } from './store'

/** Progress is written this often, in milliseconds: often enough for a bar on a page, whatever a task reports. */
const INTERVAL = 500

/** A chore beside the worker: writes what tasks report of their progress, all of it in one statement. */
export class ProgressReports {
  readonly #store: Store
  readonly #slots: Slots
  readonly #timer: NodeJS.Timeout

  constructor(store: Store, slots: Slots) {
    this.#store = store
    this.#slots = slots
    this.#timer = setInterval(() => void this.#write(), INTERVAL).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #write(): Promise<void> {
    const reports = this.#slots.takeProgress()
    if (reports.length === 0) return
    const rows = reports.map(({ row, progress }) => ({ key: row.key, claims: row.claims, progress: JSON.stringify(progress) }))
    await this.#store.renew(rows).catch((error: unknown) => log.warn(`Progress could not be written: ${String(error)}`))
  }
}
