import { clock } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import { flowPartOf, type SetLinks } from '../../row/flow-parts'
import type { Chore, ClaimedRow, Store } from '../../store'
import type { TaskPool } from '../pool/task-pool'
import { lookIntervalMs } from './rescuer'

/** Delay in ms before sets are settled again after an error; it doubles with each. After the longest they are left to the next look. */
const AGAIN_MS = 250
const LONGEST_MS = 4_000
/** Time in ms between two looks of a worker that has seen no row of a flow, nor one that waits, since its last one. */
const RARE_MS = 60_000
/** It varies by this share, so that workers started together do not look together. */
const JITTER = 0.3

/**
 * Settles flows: what waits for rows that have finished here is due, FAILED or deleted; and, from time to time, what waits for
 * rows of workers that were lost before they could.
 */
export class Settling implements Chore {
  readonly #store: Store
  /** Has the worker poll: rows are due. */
  readonly #wake: () => void
  #owed: SetLinks[] = []
  /** The options of the row that was owed last. */
  #noted: ClaimedRow['options'] | undefined
  #working: Promise<void> | undefined
  #looking: Promise<void> | undefined
  #hasSeen = true
  #hasEnded = false

  constructor(store: Store, pool: TaskPool, wake: () => void) {
    this.#store = store
    this.#wake = wake
    pool.listen({ finished: (row) => this.#note(row) })
  }

  /** Rows may have ended that are not of this worker: the next look is soon. */
  expect(): void {
    this.#hasSeen = true
  }

  async run(signal: AbortSignal): Promise<void> {
    let lookedAt = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      const isDue = this.#hasSeen || clock.now() - lookedAt >= RARE_MS
      if (isDue) {
        this.#hasSeen = false
        lookedAt = clock.now()
        this.#looking = this.#look()
        await this.#looking
        this.#looking = undefined
      }
      const pause = lookIntervalMs(this.#store.leaseSeconds)
      await clock.sleep(pause * (1 - JITTER + 2 * JITTER * Math.random()), signal)
    }
    await this.#working
    this.#hasEnded = true
  }

  get busy(): Promise<void> | undefined {
    return this.#working ?? this.#looking
  }

  #note({ options }: ClaimedRow): void {
    if (!('flow' in options)) return
    this.#hasSeen = true
    // Members of a set mostly share their options, and one of them is enough.
    if (this.#owed.length > 0 && options === this.#noted) return
    const { member } = flowPartOf(options)
    if (!member) return
    this.#noted = options
    this.#owed.push(member)
    this.#working ??= this.#work()
  }

  /** All that finish in one exchange are settled together. A worker that ends before has left it to the next look of another one. */
  async #work(): Promise<void> {
    await Promise.resolve()
    while (this.#owed.length > 0 && !this.#hasEnded) {
      const sets = this.#owed
      this.#owed = []
      await this.#settle(sets)
    }
    this.#working = undefined
  }

  async #settle(sets: readonly SetLinks[]): Promise<void> {
    for (let pause = AGAIN_MS; pause <= LONGEST_MS && !this.#hasEnded; pause *= 2)
      try {
        if (((await this.#store.settle?.(sets)) ?? 0) > 0) this.#wake()
        return
      } catch (error) {
        log.warn(`Flows could not be settled, and are tried again: ${briefly(error)}`)
        await clock.sleep(pause)
      }
  }

  async #look(): Promise<void> {
    try {
      const { due, waiting } = (await this.#store.settleWaiting?.()) ?? { due: 0, waiting: 0 }
      if (due > 0) this.#wake()
      // A worker of another program may finish what they wait for, and tells nobody.
      this.#hasSeen ||= waiting > due
    } catch (error) {
      log.warn(`Could not look for flows to settle: ${briefly(error)}`)
      this.#hasSeen = true
    }
  }
}
