import type { ClaimFilter, Exchange, Held, Outcome } from '../../store'
import type { Pauses } from '../chores/pauses'
import { giveBack } from '../give-back'
import type { ClaimingStore } from './claiming-store'

/** Claims nothing of queues that are paused. Until it is known which are, it claims nothing at all. */
export class PausingStore implements ClaimingStore {
  readonly #store: ClaimingStore
  readonly #pauses: Pauses

  constructor(store: ClaimingStore, pauses: Pauses) {
    this.#store = store
    this.#pauses = pauses
  }

  get maxCrashes(): number {
    return this.#store.maxCrashes
  }

  get exchangesAtOnce(): number {
    return this.#store.exchangesAtOnce ?? 1
  }

  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    if (limit <= 0) return this.#store.exchange(outcomes, limit, filter)
    // Not awaited where it is known: the statement would be sent only after the tasks of this turn have run.
    if (!this.#pauses.isKnown) await this.#pauses.first()
    const served = this.#pauses.without(filter)
    if (served) return this.#withoutPaused(await this.#store.exchange(outcomes, limit, served))
    if (outcomes.length === 0) return { answers: [], claimed: [] }
    return this.#store.exchange(outcomes, 0, filter)
  }

  release(rows: readonly Held[], delay?: number): Promise<number> {
    return this.#store.release(rows, delay)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /**
   * A queue may have been paused while its rows were claimed. Which ones is asked once: by the time they are given back, it may
   * be resumed, or another be paused.
   */
  async #withoutPaused(exchange: Exchange): Promise<Exchange> {
    const paused = new Set(
      exchange.claimed.filter(({ values }) => this.#pauses.isPaused(values.queueName)),
    )
    if (paused.size === 0) return exchange
    await giveBack(this.#store, [...paused])
    return { ...exchange, claimed: exchange.claimed.filter((row) => !paused.has(row)) }
  }
}
