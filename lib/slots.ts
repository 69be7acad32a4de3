import type { TaskBackend } from './backend'
import { clock } from './clock'
import { MalformedRowError } from './errors'
import { log } from './log'
import { type Progress, TaskResult } from './result'
import { tasks } from './registry'
import { failed, runOnce } from './run'
import { taskFinished, taskStarted } from './signals'
import { logState } from './state-lines'
import type { ClaimedRow, Outcome } from './store'

/** A row that is being run here, or whose outcome is not handed in yet. */
interface Slot {
  readonly row: ClaimedRow
  readonly abort: AbortController
  outcome: Outcome | undefined
  /** Reported and not yet written. */
  progress: Progress | null
}

/** So many rows at a time: from the claim until their outcome is stored. */
export class Slots {
  readonly #backend: TaskBackend
  readonly #size: number
  readonly #slots = new Map<string, Slot>()
  /** The slots whose outcomes are on their way, in the order they were given out. */
  #handedIn: Slot[] = []
  #changed = new AbortController()

  constructor(backend: TaskBackend, size: number) {
    this.#backend = backend
    this.#size = size
  }

  get busy(): number {
    return this.#slots.size
  }

  /** Room for new rows, once the outcomes at hand are handed in. */
  get free(): number {
    return this.#size - [...this.#slots.values()].filter((slot) => !slot.outcome).length
  }

  get hasOutcomes(): boolean {
    return [...this.#slots.values()].some((slot) => slot.outcome)
  }

  /** Starts a row; it never fails, whatever the task does. */
  start(row: ClaimedRow): void {
    const slot: Slot = { row, abort: new AbortController(), outcome: undefined, progress: null }
    this.#slots.set(row.key, slot)
    void this.#run(slot)
  }

  /** What came of the rows that ended; kept here until `settle` says that it is stored. */
  outcomes(): Outcome[] {
    this.#handedIn = [...this.#slots.values()].filter((slot) => slot.outcome)
    return this.#handedIn.flatMap((slot) => slot.outcome ?? [])
  }

  /** Frees the slots of the outcomes last given out. */
  settle(kept: readonly boolean[]): void {
    for (const [i, slot] of this.#handedIn.entries()) {
      this.#slots.delete(slot.row.key)
      if (kept[i]) this.#announce(slot)
      else log.warn(`Task id=${slot.row.values.id} path=${slot.row.values.taskName} was taken over meanwhile; what claim ${slot.row.claims} came to is dropped`)
    }
    this.#handedIn = []
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
  abort(reason: Error): void {
    for (const slot of this.#slots.values()) slot.abort.abort(reason)
  }

  /** Gives up on what still runs: its outcome will be dropped. */
  abandon(): ClaimedRow[] {
    const rows = [...this.#slots.values()].map((slot) => slot.row)
    this.#slots.clear()
    return rows
  }

  /** The latest progress of each row that reported any since it was last asked. */
  takeProgress(): { row: ClaimedRow; progress: Progress }[] {
    const found: { row: ClaimedRow; progress: Progress }[] = []
    for (const slot of this.#slots.values()) {
      if (slot.progress) found.push({ row: slot.row, progress: slot.progress })
      slot.progress = null
    }
    return found
  }

  async #run(slot: Slot): Promise<void> {
    const { key, claims, values, malformed } = slot.row
    const result = new TaskResult<unknown>(this.#backend, values)
    logState(result, 'RUNNING')
    taskStarted.send({ backend: this.#backend, result })
    const report = (progress: Progress): void => void (slot.progress = progress)
    const verdict = malformed === null ? await runOnce(() => tasks.get(values.taskName), result, { signal: slot.abort.signal, report }) : failed(new MalformedRowError(malformed))
    slot.outcome = { key, claims, ...verdict, ...lastProgress(slot) }
    slot.progress = null
    this.#changed.abort()
  }

  #announce({ row, outcome }: Slot): void {
    if (!outcome || outcome.status === 'READY') return
    const finishedAt = new Date()
    const result = new TaskResult<unknown>(this.#backend, { ...row.values, status: outcome.status, finishedAt, ...whatCameOf(outcome, row) })
    logState(result, outcome.status)
    taskFinished.send({ backend: this.#backend, result })
  }
}

function lastProgress({ progress }: Slot): { progress?: string } {
  return progress === null ? {} : { progress: JSON.stringify(progress) }
}

function whatCameOf(outcome: Outcome, row: ClaimedRow): object {
  if (outcome.status === 'SUCCESSFUL') return { returnValue: outcome.returnValue === null ? null : (JSON.parse(outcome.returnValue) as unknown) }
  return { errors: [...row.values.errors, outcome.error] }
}
