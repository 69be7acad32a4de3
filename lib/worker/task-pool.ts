import type { TaskBackend } from '../backend'
import { Bag } from './indexed-set'
import { clock, OVER } from '../clock'
import { type TasksError } from '../errors/errors'
import { LeaseLost } from '../errors/run-errors'
import type { Children } from '../isolation/process-pool'
import { log } from '../events/logger'
import { TaskResult } from '../result'
import { taskFinished } from '../events/signals'
import { Slot } from './claimed-task'
import { logRetry, logState } from '../events/task-log'
import type { ClaimedRow, Outcome } from '../store'

/**
 * Rows from their claim until their outcome is stored: so many run at a time, others wait for their turn, so that the
 * next one can start the moment that one ends.
 */
export class Slots {
  readonly #backend: TaskBackend
  readonly #size: number
  readonly #children: Children | null
  /** A row that was lost may come back, while its first run goes on. */
  readonly #slots = new Bag<Slot>()
  /** Those that have not started, in the order of their claims. */
  #waiting: Slot[] = []
  /** How many run. */
  #running = 0
  /** Those that have an outcome which is not on its way. */
  #ended: Slot[] = []
  /** Those whose outcomes are on their way, in the order they were given out. */
  #handedIn: Slot[] = []
  #started = 0
  #isPaused = false
  #onWake: (() => void) | undefined

  /** `children`: where runs have a process of their own, if the worker has such a place. */
  constructor(backend: TaskBackend, size: number, children: Children | null = null) {
    this.#backend = backend
    this.#size = size
    this.#children = children
  }

  get busy(): number {
    return this.#slots.size
  }

  /** How many more could run now, once the outcomes at hand are handed in; negative where rows wait. */
  get free(): number {
    return this.#size - this.#running - this.#waiting.length
  }

  /** Rows that were taken and are not given back: runs that were started, or will be. */
  get taken(): number {
    return this.#started + this.#waiting.length
  }

  /** Runs that were started. */
  get started(): number {
    return this.#started
  }

  get hasOutcomes(): boolean {
    return this.#ended.length > 0
  }

  /** The slots whose rows this worker holds. */
  held(): Slot[] {
    return this.#slots.all().filter((slot) => slot.isHeld)
  }

  /** Takes in rows that were asked for at `claimedAt`; `start` starts them. */
  take(rows: readonly ClaimedRow[], claimedAt: number): void {
    for (const row of rows) {
      const slot = new Slot(this.#backend, row, claimedAt, this.#children?.run ?? null, () =>
        this.#onChange(slot),
      )
      this.#slots.add(slot)
      this.#waiting.push(slot)
    }
    this.#isPaused = false
  }

  /** Starts as many as there is room for; never fails, whatever the tasks do. */
  start(): void {
    while (!this.#isPaused && this.#running < this.#size) {
      const slot = this.#waiting.shift()
      if (!slot) return
      slot.isRunning = true
      this.#running++
      this.#started++
      slot.run()
    }
  }

  /** The outcomes last given out could not be stored: they are kept, and nothing new is started that would add to them. */
  pause(): void {
    this.#isPaused = true
    // Without those that were dropped while their outcome was on its way: nothing of them is to be written.
    this.#ended = [...this.#handedIn, ...this.#ended].filter((slot) => slot.at >= 0)
    this.#handedIn = []
  }

  /** The rows that have not started, or only those that have waited for `ms`, taken out to be given back. */
  unstarted(ms = 0): ClaimedRow[] {
    const earliest = clock.now() - ms
    const [stay, go] = [
      this.#waiting.filter((slot) => slot.claimedAt > earliest),
      this.#waiting.filter((slot) => slot.claimedAt <= earliest),
    ]
    this.#waiting = stay
    for (const slot of go) this.#slots.delete(slot)
    return go.map((slot) => slot.row)
  }

  /** What came of the rows that ended; kept here until `settle` says that it is stored. */
  outcomes(): Outcome[] {
    // In one order everywhere, so that no two statements wait for each other's rows.
    this.#handedIn = this.#ended.toSorted((a, b) => (a.row.key < b.row.key ? -1 : 1))
    this.#ended = []
    return this.#handedIn.flatMap((slot) => slot.outcome ?? [])
  }

  /** Frees the slots of the outcomes last given out; says whether a renewal must tell why some were not kept. */
  settle(kept: readonly boolean[]): boolean {
    let areDoubted = false
    for (const [i, slot] of this.#handedIn.entries()) {
      slot.isNoted = false
      if (kept[i]) this.#finished(slot)
      else areDoubted = slot.doubt()
    }
    this.#handedIn = []
    return areDoubted
  }

  /** The row is another's now: its run is told, and nothing of it is written. */
  lose(slot: Slot, claimsNow?: number): void {
    // A row that was given back while its renewal was under way is no loss.
    if (slot.at < 0) return
    // Whose outcome is on its way may not be held because it is stored; the finish itself tells.
    if (slot.isCompleting || slot.outcome || slot.isLost) return
    const { claims } = slot.row
    const now =
      claimsNow === undefined || claimsNow === claims
        ? ''
        : claimsNow === 0
          ? ' (the row is gone)'
          : ` by claim ${claimsNow}`
    log.warn(`${slot.name} was taken over meanwhile${now}; what claim ${claims} came to is dropped`)
    slot.stop(new LeaseLost())
  }

  /** Resolves when a row has ended, after `ms`, or when `signal` aborts. */
  async change(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.hasOutcomes || signal?.aborted) return
    const changed = new AbortController()
    this.#onWake = () => changed.abort(OVER)
    // Not AbortSignal.any, which keeps something of every signal it ever made (measured: 75 bytes a call, on Node 20).
    signal?.addEventListener('abort', this.#onWake, { once: true })
    await clock.sleep(Math.min(ms, 2 ** 31 - 1), changed.signal)
    signal?.removeEventListener('abort', this.#onWake)
    this.#onWake = undefined
  }

  /** Ends a waiting for changes. */
  wake(): void {
    this.#onWake?.()
  }

  /** Asks every running task to stop. */
  stop(reason: TasksError): void {
    for (const slot of this.#slots.all()) slot.stop(reason)
  }

  /** Gives up on what still runs; gives the rows that are still held. A run in a child process has ended by then. */
  async abandon(): Promise<ClaimedRow[]> {
    const rows = this.held().map((slot) => slot.row)
    this.#slots.clear()
    this.#waiting = []
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
    if (slot.at < 0) return
    this.#leave(slot)
    if (slot.isDropped) this.#drop(slot)
    else if (!slot.isNoted) this.#ended.push(slot)
    slot.isNoted = true
    this.start()
    this.wake()
  }

  /** It does not run any more; or it was told to stop before its turn, or after. */
  #leave(slot: Slot): void {
    if (slot.isRunning) this.#running--
    else if (!slot.isNoted) this.#waiting = this.#waiting.filter((waiting) => waiting !== slot)
    slot.isRunning = false
  }

  #drop(slot: Slot): void {
    this.#slots.delete(slot)
    if (slot.isNoted) this.#ended = this.#ended.filter((ended) => ended !== slot)
    if (!slot.isLost) this.givenUp.push(slot.row)
  }

  #finished(slot: Slot): void {
    this.#slots.delete(slot)
    const { outcome, row } = slot
    if (!outcome) return
    const result = (): TaskResult<unknown> =>
      new TaskResult<unknown>(this.#backend, () => ({
        ...row.values,
        status: outcome.status,
        finishedAt: new Date(),
        ...whatCameOf(outcome, row),
      }))
    if (outcome.status === 'READY') return logRetry(result(), outcome.delay)
    logState(row.values, outcome.status, outcome.status === 'FAILED' ? outcome.error : undefined)
    if (taskFinished.isHeard) taskFinished.send({ backend: this.#backend, result: result() })
  }
}

function whatCameOf(outcome: Outcome, row: ClaimedRow): object {
  if (outcome.status === 'SUCCESSFUL')
    return {
      returnValue:
        outcome.returnValue === null ? null : (JSON.parse(outcome.returnValue) as unknown),
    }
  return { errors: [...row.values.errors, outcome.error] }
}
