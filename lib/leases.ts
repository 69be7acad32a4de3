import { setMaxListeners } from 'node:events'
import { clock } from './clock'
import { LeaseLost, TaskCancelled } from './errors'
import { briefly } from './failure'
import { log } from './log'
import type { Slot } from './slot'
import type { Slots } from './slots'
import type { Held, Store } from './store'

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
      if (clock.now() - this.#renewedAt >= this.#period) await this.renew()
      else await this.renew(this.#slots.held().filter((slot) => slot.hasProgress))
    }
  }

  close(): void {
    this.#closed.abort()
  }

  /** Holds the rows of these slots, by default of all, for another lease; never throws. */
  async renew(slots?: readonly Slot[]): Promise<void> {
    const asked = clock.now()
    if (slots === undefined) this.#renewedAt = asked
    const held = slots ?? this.#slots.held()
    if (held.length === 0) return
    try {
      const renewals = held.map((slot) => slot.renewal())
      const { lost, cancelled } = await inTime(this.#store.renew(renewals), this.#period)
      const [areLost, areCancelled] = [new Set(lost.map(claimOf)), new Set(cancelled.map(claimOf))]
      for (const slot of held) this.#hear(slot, areLost.has(claimOf(slot.row)), areCancelled.has(claimOf(slot.row)), asked)
    } catch (error) {
      log.warn(`The leases of ${held.length} task(s) could not be renewed: ${briefly(error)}`)
      this.#giveUpOverdue()
    }
  }

  get #period(): number {
    return (this.#store.leaseSeconds * 1000) / 3
  }

  #hear(slot: Slot, isLost: boolean, isCancelled: boolean, asked: number): void {
    if (isCancelled && !isLost) slot.stop(new TaskCancelled())
    else if (isLost || slot.isDoubted) this.#slots.lose([slot])
    slot.heldAt = asked
  }

  /** After a whole lease without renewal another worker may have the row: this one stops, and writes nothing. */
  #giveUpOverdue(): void {
    const lease = this.#store.leaseSeconds * 1000
    for (const slot of this.#slots.held()) {
      const left = slot.heldAt + lease - clock.now()
      if (left <= 0) this.#giveUp(slot)
      else if (left < this.#period) void clock.sleep(left, this.#closed.signal).then(() => slot.heldAt + lease <= clock.now() && this.#giveUp(slot))
    }
  }

  #giveUp(slot: Slot): void {
    if (!slot.isHeld) return
    log.warn(`${slot.name} could not be held for a whole lease: it is told to stop, and nothing of it will be written`)
    slot.stop(new LeaseLost())
  }
}

/** A claim by its value: a store may give back copies of what it was handed. */
function claimOf({ key, claims }: Held): string {
  return `${key} ${claims}`
}

/** A statement that hangs must not keep the next one from being tried. */
async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) throw new Error(`no answer within ${Math.round(ms)} ms`)
    return work
  })
  return Promise.race([work, late]).finally(() => done.abort())
}
