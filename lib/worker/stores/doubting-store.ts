import type { Heartbeats } from '../chores/heartbeats'
import type { RescueGate } from '../chores/rescue-gate'
import type { SetLinks } from '../../row/flow-parts'
import type {
  ClaimFilter,
  Exchange,
  Held,
  Judge,
  Outcome,
  ProgressNote,
  PruneQuery,
  Renewed,
  Reported,
  Rescued,
  Store,
  Settled,
} from '../../store'

/**
 * The store of a worker that has a record. Opens the gate after each answer, or failure, that leaves open what became of a row:
 * it may be RUNNING for this worker, which does not hold it. No other worker looks for such rows while this one lives.
 */
export class DoubtingStore implements Store {
  readonly #store: Store
  readonly #gate: RescueGate
  readonly #heartbeats: Heartbeats

  constructor(store: Store, gate: RescueGate, heartbeats: Heartbeats) {
    this.#store = store
    this.#gate = gate
    this.#heartbeats = heartbeats
  }

  get leaseSeconds(): number {
    return this.#store.leaseSeconds
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
    if (limit > 0 && this.#heartbeats.isDue) await this.#heartbeats.beat()
    const exchange = await this.#heard(this.#store.exchange(outcomes, limit, filter))
    const { answers, failure, isUnsure } = exchange
    if (isUnsure || failure !== undefined || answers.includes('refused')) this.#gate.doubt()
    return exchange
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    const renewed = await this.#heard(this.#store.renew(rows))
    if (renewed.unknown.length > 0) this.#gate.doubt()
    return renewed
  }

  report(notes: readonly ProgressNote[]): Promise<Reported> {
    return this.#store.report(notes)
  }

  /** A row that was cancelled meanwhile is not given back. */
  async release(rows: readonly Held[], delay?: number): Promise<number> {
    const released = await this.#heard(this.#store.release(rows, delay))
    if (released < rows.length) this.#gate.doubt()
    return released
  }

  rescue(judge: Judge): Promise<Rescued> {
    return this.#store.rescue(judge)
  }

  async settle(sets: readonly SetLinks[]): Promise<number> {
    return (await this.#store.settle?.(sets)) ?? 0
  }

  async settleWaiting(): Promise<Settled> {
    return (await this.#store.settleWaiting?.()) ?? { due: 0, waiting: 0 }
  }

  prune(query: PruneQuery): Promise<number> {
    return this.#store.prune(query)
  }

  async close(): Promise<void> {
    await this.#heartbeats.leave()
    await this.#store.close()
  }

  async #heard<Answer>(asked: Promise<Answer>): Promise<Answer> {
    try {
      return await asked
    } catch (error) {
      this.#gate.doubt()
      throw error
    }
  }
}
