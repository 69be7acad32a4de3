import { setMaxListeners } from 'node:events'
import { clock } from '../../clock'
import { LeaseLost } from '../../errors/run-errors'
import { TaskCancelled } from '../../errors/run-errors'
import { briefly } from '../../errors/error-record'
import { inTime } from '../../timeout'
import { log } from '../../events/logger'
import type { Slot } from '../claimed-task'
import type { Slots } from '../task-pool'
import type { Held, Lost, Store } from '../../store'

/** Progress is written this often, in milliseconds: often enough for a bar on a page, whatever a task reports. */
const PROGRESS_INTERVAL = 500

/**
 * A chore beside the worker: one statement every third of a lease holds all rows for another lease, and carries what
 * tasks report of their progress. It also hears which rows are lost, and which were cancelled.
 */
export class Leases {
  readonly #store: Store
  readonly #slots: Slots
  readonly #closed = new AbortController()
  #renewedAt = clock.now()
  /** The renewal of all rows that is under way. */
  #renewing: Promise<void> = Promise.resolve()

  constructor(store: Store, slots: Slots) {
    this.#store = store
    this.#slots = slots
    // One sleeper for each row whose lease is about to end is no leak.
    setMaxListeners(0, this.#closed.signal)
  }

  /** Goes on until closed. */
  async keep(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await clock.sleep(Math.min(PROGRESS_INTERVAL, this.#period), this.#closed.signal)
      if (clock.now() - this.#renewedAt >= this.#period) await this.renewAll()
      else await this.#renew(this.#slots.held().filter((slot) => slot.hasProgress))
    }
  }

  close(): void {
    this.#closed.abort()
  }

  /** Holds all rows for another lease; never throws. */
  async renewAll(): Promise<void> {
    this.#renewedAt = clock.now()
    this.#renewing = this.#renew(this.#slots.held())
    await this.#renewing
  }

  /** Resolves when no renewal is due or under way: what was to be held is renewed, or was given up. */
  async caughtUp(): Promise<void> {
    if (clock.now() - this.#renewedAt >= this.#period) void this.renewAll()
    await this.#renewing
  }

  /** Renews a row of which something is to be heard. */
  async hear(key: string): Promise<void> {
    await this.#renew(this.#slots.held().filter(({ row }) => row.key === key))
  }

  async #renew(held: readonly Slot[]): Promise<void> {
    if (held.length === 0) return
    const asked = clock.now()
    try {
      const renewals = held.map((slot) => slot.renewal())
      // A statement that hangs must not keep the next one from being tried.
      const { lost, cancelled } = await inTime(this.#store.renew(renewals), this.#period)
      const [areLost, areCancelled] = [
        new Map(lost.map((row) => [claimOf(row), row])),
        new Set(cancelled.map(claimOf)),
      ]
      for (const slot of held)
        this.#answer(
          slot,
          areLost.get(claimOf(slot.row)),
          areCancelled.has(claimOf(slot.row)),
          asked,
        )
    } catch (error) {
      log.warn(`The leases of ${held.length} task(s) could not be renewed: ${briefly(error)}`)
      this.#giveUpOverdue()
    }
  }

  get #period(): number {
    return (this.#store.leaseSeconds * 1000) / 3
  }

  #answer(slot: Slot, lost: Lost | undefined, isCancelled: boolean, asked: number): void {
    if (isCancelled && !lost) slot.stop(new TaskCancelled())
    else if (lost || slot.isDoubted) this.#slots.lose(slot, lost?.claimsNow)
    slot.heldAt = asked
  }

  /** After a whole lease without renewal another worker may have the row: this one stops, and writes nothing. */
  #giveUpOverdue(): void {
    const lease = this.#store.leaseSeconds * 1000
    for (const slot of this.#slots.held()) {
      const left = slot.heldAt + lease - clock.now()
      if (left <= 0) this.#giveUp(slot)
      else if (left < this.#period)
        void clock
          .sleep(left, this.#closed.signal)
          .then(() => slot.heldAt + lease <= clock.now() && this.#giveUp(slot))
    }
  }

  #giveUp(slot: Slot): void {
    if (!slot.isHeld) return
    log.warn(
      `${slot.name} could not be held for a whole lease: it is told to stop, and nothing of it will be written`,
    )
    slot.stop(new LeaseLost())
  }
}

/** A claim by its value: a store may give back copies of what it was handed. */
function claimOf({ key, claims }: Held): string {
  return `${key} ${claims}`
}
