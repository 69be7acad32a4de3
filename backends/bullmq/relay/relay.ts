import { clock, OVER } from '../../../lib/clock'
import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import type { ClaimedRow, PruneQuery, Store, Wakeup } from '../../../lib/store'
import type { Movable } from '../../database/moving/movable'
import { newId } from '../../ids'
import { Busy } from './busy'
import { afterLoss, type Moves } from './moves'
import type { RunningRelay } from './running-relay'

/** Rows of one round: one statement claims them, one round trip adds them to Redis. */
const BATCH = 250
/** Seconds for which a relay holds rows: those of one that was lost move that much later. */
export const RELAY_LEASE_SECONDS = 10
/** For so many ms a drain waits for what others hold: by then the rows of a lost relay are free. */
const HELD_MS = (RELAY_LEASE_SECONDS + 2) * 1_000
/** Time in ms between two looks for rows of lost relays. */
const RESCUE_MS = 5_000
/** Pauses in ms between two looks: at first, since a wake-up may come before its commit, and at most. */
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1_000
/** The same after an error. */
const AGAIN_MS = 250
const LATEST_AGAIN_MS = 5_000
/** For so many ms a row is put off that Redis does not take, though it answers: others go on. */
const PUT_OFF_MS = 30_000
/** After a failure rounds are smaller by this factor, until one row is left. */
const SMALLER = 8
/** Pauses vary by this share, so that relays started together do not look together. */
const JITTER = 0.3

export interface RelaySettings {
  readonly alias: string
  readonly queues: readonly string[]
  /** Opens the table. `wakeup` is called when there may be rows. */
  open(wakeup: (wakeup: Wakeup) => void): Promise<Movable>
  /** How many rows relays hold at this moment. */
  held(): Promise<number>
  readonly moves: Moves
}

/**
 * Takes rows of the table to Redis: those that are due are claimed as a worker does it, added to Redis with their ids, and deleted. A
 * crash in between has them added again, which Redis ignores while it has a job of that id.
 */
export class Relay implements RunningRelay {
  readonly #settings: RelaySettings
  readonly #workerId = `relay-${newId()}`
  readonly #busy = new Busy()
  #opened: Promise<Movable> | undefined
  #wake: (() => void) | undefined
  #isWoken = false
  #rescueAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #limit = BATCH
  #moved = 0

  constructor(settings: RelaySettings) {
    this.#settings = settings
  }

  get moved(): number {
    return this.#moved
  }

  get busy(): Promise<void> | undefined {
    return this.#busy.promise
  }

  async run(signal: AbortSignal): Promise<void> {
    const { alias } = this.#settings
    let pause = FIRST_PAUSE_MS
    while (!signal.aborted) {
      this.#isWoken = false
      const limit = this.#limit
      const found = await this.#round().catch((error: unknown) => {
        if (this.#failures++ === 0)
          log.warn(
            `Relay of TASKS.${alias}: rows could not be moved, and are tried again: ${briefly(error)}`,
          )
        return undefined
      })
      if (found !== undefined && this.#failures > 0) {
        log.info(`Relay of TASKS.${alias}: rows are moved again`)
        this.#failures = 0
      }
      if (found) pause = FIRST_PAUSE_MS
      if (found === limit || (found !== undefined && this.#isWoken)) continue
      this.#busy.end()
      await this.#rest(found === undefined ? this.#againMs() : varied(pause), signal)
      pause = this.#isWoken ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, pause * 2)
    }
    this.#busy.end()
    await this.close().catch(() => {})
  }

  async drain(signal: AbortSignal): Promise<number> {
    let until: number | undefined
    try {
      for (;;) {
        while (!signal.aborted && (await this.#round()) > 0);
        const held = signal.aborted ? 0 : await this.#settings.held()
        if (held === 0 || clock.now() >= (until ?? Number.POSITIVE_INFINITY)) return held
        if (until === undefined) this.#tellHeld(held)
        until ??= clock.now() + HELD_MS
        await this.#rest(varied(LONGEST_PAUSE_MS), signal)
        this.#rescueAt = clock.now()
      }
    } finally {
      await this.close()
    }
  }

  async prune(query: PruneQuery): Promise<number> {
    return (await this.#movable()).store.prune(query)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await (await opened)?.store.close()
  }

  /** Resolves to the number of rows that it found. */
  async #round(): Promise<number> {
    const { moves, queues } = this.#settings
    // Rows are not claimed for nothing.
    if (this.#failures > 0) await moves.ping()
    const { store, remove, ...rows } = await this.#movable()
    if (clock.now() >= this.#rescueAt) {
      await store.rescue(afterLoss)
      this.#rescueAt = clock.now() + varied(RESCUE_MS)
    }
    const claimedAt = clock.now()
    const filter = { workerId: this.#workerId, queues, excludeQueues: [] }
    const { claimed, failure } = await store.exchange([], this.#limit, filter)
    if (failure !== undefined) throw failure
    if (claimed.length === 0) return 0
    const { there, failed } = await moves
      .move(claimed, { ...rows, until: claimedAt + (RELAY_LEASE_SECONDS * 1000) / 2 })
      .catch(async (error: unknown) => {
        await this.#putOff(store, claimed).catch(() => {})
        throw error
      })
    this.#limit = Math.min(BATCH, this.#limit * 2)
    await Promise.all([remove(there), failed.length > 0 && store.exchange(failed, 0, filter)])
    this.#moved += there.length
    this.#tell(claimed)
    return claimed.length
  }

  /** Gives rows back that could not be moved. If it was one alone while Redis answers, it is the row that is not taken. */
  async #putOff(store: Store, rows: readonly ClaimedRow[]): Promise<void> {
    this.#limit = Math.max(1, Math.floor(rows.length / SMALLER))
    const isOfRow =
      rows.length === 1 &&
      (await this.#settings.moves.ping().then(
        () => true,
        () => false,
      ))
    await store.release(rows, isOfRow ? PUT_OFF_MS : undefined)
  }

  #tell(claimed: readonly ClaimedRow[]): void {
    log.debug(`Relay of TASKS.${this.#settings.alias}: ${claimed.length} task(s) taken to Redis`)
  }

  #tellHeld(held: number): void {
    log.info(
      `Relay of TASKS.${this.#settings.alias}: waits for ${held} task(s) that another relay holds, or held when it was killed, for ${HELD_MS / 1000} s at most`,
    )
  }

  /** Opened when it is needed: the database may be away when a worker of Redis starts. */
  #movable(): Promise<Movable> {
    if (this.#opened) return this.#opened
    const opening = this.#settings.open((wakeup) => this.#woken(wakeup))
    this.#opened = opening
    opening.catch(() => (this.#opened = undefined))
    return opening
  }

  #woken({ what }: Wakeup): void {
    if (what !== 'ready') return
    this.#isWoken = true
    this.#busy.begin()
    this.#wake?.()
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = (): void => over.abort(OVER)
    this.#wake = end
    signal.addEventListener('abort', end, { once: true, signal: over.signal })
    if (signal.aborted) end()
    await clock.sleep(ms, over.signal)
    this.#wake = undefined
    end()
  }

  #againMs(): number {
    return varied(Math.min(LATEST_AGAIN_MS, AGAIN_MS * 2 ** (this.#failures - 1)))
  }
}

function varied(ms: number): number {
  return ms * (1 - JITTER + 2 * JITTER * Math.random())
}
