import type { TaskBackend } from './backend'
import { clock } from './clock'
import { LeaseLost, type TasksError } from './errors'
import type { Children } from './isolation/children'
import { log } from './log'
import { TaskResult } from './result'
import { taskFinished } from './signals'
import { Slot } from './slot'
import { logRetry, logState } from './state-lines'
import type { ClaimedRow, Outcome } from './store'

/** So many rows at a time: from the claim until their outcome is stored. */
export class Slots {
  readonly #backend: TaskBackend
  readonly #size: number
  readonly #children: Children | null
  /** A row that was lost may come back, while its first run goes on. */
  readonly #slots = new Set<Slot>()
  /** The slots whose outcomes are on their way, in the order they were given out. */
  #handedIn: Slot[] = []
  #changed = new AbortController()

  /** `children`: where runs have a process of their own, if the worker has such a place. */
  constructor(backend: TaskBackend, size: number, children: Children | null = null) {
    this.#backend = backend
    this.#size = size
    this.#children = children
  }

  get busy(): number {
    return this.#slots.size
  }

  /** Room for new rows, once the outcomes at hand are handed in. */
  get free(): number {
    return this.#size - this.#count((slot) => !slot.outcome)
  }

  get hasOutcomes(): boolean {
    return this.#count((slot) => slot.outcome !== undefined) > 0
  }

  /** The slots whose rows this worker holds. */
  held(): Slot[] {
    return [...this.#slots].filter((slot) => slot.isHeld)
  }

  /** Starts a row that was asked for at `claimedAt`; it never fails, whatever the task does. */
  start(row: ClaimedRow, claimedAt = clock.now()): void {
    const slot = new Slot(this.#backend, row, this.#children?.run ?? null, () => this.#onChange(slot))
    slot.heldAt = claimedAt
    this.#slots.add(slot)
    void slot.run()
  }

  /** What came of the rows that ended; kept here until `settle` says that it is stored. */
  outcomes(): Outcome[] {
    this.#handedIn = [...this.#slots].filter((slot) => slot.outcome)
    return this.#handedIn.flatMap((slot) => slot.outcome ?? [])
  }

  /** Frees the slots of the outcomes last given out; says whether a renewal must tell why some were not kept. */
  settle(kept: readonly boolean[]): boolean {
    const doubted = this.#handedIn.filter((_, i) => !kept[i])
    for (const [i, slot] of this.#handedIn.entries()) if (kept[i]) this.#finished(slot)
    for (const slot of doubted) slot.doubt()
    this.#handedIn = []
    return doubted.length > 0
  }

  /** The row is another's now: its run is told, and nothing of it is written. */
  lose(slot: Slot, claimsNow?: number): void {
    // Whose outcome is on its way may not be held because it is stored; the finish itself tells.
    if (slot.isCompleting || slot.outcome || slot.isLost) return
    const { claims } = slot.row
    const now = claimsNow === undefined || claimsNow === claims ? '' : claimsNow === 0 ? ' (the row is gone)' : ` by claim ${claimsNow}`
    log.warn(`${slot.name} was taken over meanwhile${now}; what claim ${claims} came to is dropped`)
    slot.stop(new LeaseLost())
  }

  /** Resolves when a row has ended, after `ms`, or when `signal` aborts. */
  async change(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.hasOutcomes || signal?.aborted) return
    const changed = new AbortController()
    const wake = (): void => changed.abort()
    this.#changed = changed
    // Not AbortSignal.any, which keeps something of every signal it ever made (measured: 75 bytes a call, on Node 20).
    signal?.addEventListener('abort', wake, { once: true })
    await clock.sleep(Math.min(ms, 2 ** 31 - 1), changed.signal)
    signal?.removeEventListener('abort', wake)
  }

  /** Asks every running task to stop. */
  stop(reason: TasksError): void {
    // A slot may leave the set while it is walked, which a Set takes well.
    for (const slot of this.#slots) slot.stop(reason)
  }

  /** Gives up on what still runs; gives the rows that are still held. A run in a child process has ended by then. */
  async abandon(): Promise<ClaimedRow[]> {
    const rows = this.held().map((slot) => slot.row)
    this.#slots.clear()
    await this.#children?.kill()
    return rows
  }

  /** Leaves no child process behind. */
  async close(): Promise<void> {
    await this.#children?.close()
  }

  /** The rows that ended only because the worker stops, to be given back. */
  readonly givenUp: ClaimedRow[] = []

  #onChange(slot: Slot): void {
    // Nobody waits any more for one that was abandoned: it is its worker's end that ended it.
    if (!this.#slots.has(slot)) return
    if (slot.isDropped) {
      this.#slots.delete(slot)
      if (!slot.isLost) this.givenUp.push(slot.row)
    }
    this.#changed.abort()
  }

  #finished(slot: Slot): void {
    this.#slots.delete(slot)
    const { outcome, row } = slot
    if (!outcome) return
    const result = new TaskResult<unknown>(this.#backend, { ...row.values, status: outcome.status, finishedAt: new Date(), ...whatCameOf(outcome, row) })
    if (outcome.status === 'READY') return logRetry(result, outcome.delay)
    logState(result, outcome.status)
    taskFinished.send({ backend: this.#backend, result })
  }

  #count(is: (slot: Slot) => boolean): number {
    let count = 0
    for (const slot of this.#slots) if (is(slot)) count++
    return count
  }
}

function whatCameOf(outcome: Outcome, row: ClaimedRow): object {
  if (outcome.status === 'SUCCESSFUL') return { returnValue: outcome.returnValue === null ? null : (JSON.parse(outcome.returnValue) as unknown) }
  return { errors: [...row.values.errors, outcome.error] }
}
