import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import { afterCrash } from '../../execution/retry'
import type { Chore, Store } from '../../store'
import type { RescueGate } from './rescue-gate'

/** Longest time in ms between two looks, however long the lease. */
const MAX_INTERVAL_MS = 10_000
/** Time in ms between two looks while the gate is closed: for rows of workers that have no record. */
const RARE_MS = 5 * 60_000
/** Both vary by this share, so that workers started together do not look together. */
const JITTER = 0.3

/** Time in ms between two looks while workers may have been lost. */
export function lookIntervalMs(leaseSeconds: number): number {
  return Math.min(MAX_INTERVAL_MS, (leaseSeconds * 1000) / 3)
}

/**
 * Takes over rows whose leases ran out: their workers are gone. Every worker does this; no two take the same row. To find such
 * rows reads all that ran and ended as well, on some databases, so that where workers have records it waits for their gate.
 */
export class Rescuer implements Chore {
  readonly #store: Store
  readonly #before: () => Promise<void>
  readonly #gate: RescueGate | undefined
  readonly #onFailed: () => void

  /**
   * Each look waits for `before`, which renews the leases of this worker: all timers of a process that stood still fire
   * at once, and it would take for lost the rows that it holds and has not renewed yet. `onFailed`: rows are FAILED without a run.
   */
  constructor(
    store: Store,
    before: () => Promise<void>,
    gate?: RescueGate,
    onFailed = (): void => {},
  ) {
    this.#store = store
    this.#onFailed = onFailed
    this.#before = before
    this.#gate = gate
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#before()
      await this.#look(signal)
      await clock.sleep(jittered(lookIntervalMs(this.#store.leaseSeconds)), signal)
      await this.#gate?.wait(jittered(RARE_MS), signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      // One look takes a limited number of rows: after one that found any there may be more.
      for (let found = 1; found > 0 && !signal.aborted;) {
        found = await this.#takeOver()
      }
    } catch (error) {
      this.#gate?.open()
      log.warn(`Could not look for tasks that lost their workers: ${briefly(error)}`)
    }
  }

  /** Resolves to how many rows were taken over. */
  async #takeOver(): Promise<number> {
    const { maxCrashes } = this.#store
    const rescued = await this.#store.rescue((row) => afterCrash(row, maxCrashes))
    const { released, failed, left = 0 } = rescued
    for (const id of released) log.warn(`Task id=${id} lost its worker: requeued`)
    for (const id of failed) log.error(`Task id=${id} lost its worker: FAILED`)
    if (failed.length > 0) this.#onFailed()
    if (left > 0) this.#gate?.open()
    return released.length + failed.length
  }
}

function jittered(ms: number): number {
  return ms * (1 - JITTER + 2 * JITTER * Math.random())
}
