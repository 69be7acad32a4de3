import { clock } from '../clock'
import { isLastRun, isSuspect } from '../execution/retry'
import type { ClaimedRow } from '../store'
import { Prefetch } from './polling'
import type { TaskPool } from './task-pool'
import type { WorkerSettings } from './worker-options'

/** Time in ms in which a suspect has its worker to itself. One that has not killed its worker by then is one like others. */
const TRIAL_MS = 30_000

/** What becomes of the rows of a claim. */
interface Admission {
  readonly kept: readonly ClaimedRow[]
  /** To be given back before the others start. */
  readonly returned: readonly ClaimedRow[]
}

/**
 * Decides how many rows a worker claims, and which of them it keeps. If its process is killed, each row at hand counts a
 * lost worker, also one that never began. A row that would be FAILED by that is only at hand while it runs; and a row that
 * has cost workers before, up to the last one it may cost, begins alone: else the one that kills takes all others with it.
 */
export class Intake {
  readonly #pool: TaskPool
  readonly #settings: WorkerSettings
  readonly #maxCrashes: number
  readonly #prefetch = new Prefetch()
  /** The latest claim had rows that must not wait here. */
  #mayPrefetch = true
  /** The latest claim had a suspect: the next one is of a single row, since there may be more. */
  #wasSuspect = false
  #trial: { readonly row: ClaimedRow; readonly until: number } | undefined

  /** `maxCrashes`: how many workers a row may cost. */
  constructor(pool: TaskPool, settings: WorkerSettings, maxCrashes: number) {
    this.#pool = pool
    this.#settings = settings
    this.#maxCrashes = maxCrashes
  }

  /** How many rows to claim now. */
  get limit(): number {
    if (this.#isOnTrial()) return 0
    const { concurrency, maxTasks } = this.#settings
    const ahead = this.#mayPrefetch ? this.#prefetch.limit : 0
    // Half of what fits in, where rows are prefetched: one half runs while the database is at work for the other.
    const half = Math.max(concurrency, Math.ceil((concurrency + ahead) / 2))
    const light = this.#prefetch.roomFor(concurrency - this.#pool.free)
    const most = this.#wasSuspect ? 1 : half
    return Math.max(0, Math.min(this.#pool.free + ahead, most, light, maxTasks - this.#pool.taken))
  }

  /** Time in ms until the limit may rise by itself: for ever, unless a suspect is on trial. */
  get fullMs(): number {
    return this.#isOnTrial() && this.#trial
      ? this.#trial.until - clock.now()
      : Number.POSITIVE_INFINITY
  }

  /** An exchange that was sent at `askedAt` was answered; `ended` runs have finished since the exchange before it. */
  measure(askedAt: number, ended: number): void {
    this.#prefetch.measure(askedAt, ended)
  }

  /** Which of the rows just claimed are kept. */
  admit(claimed: readonly ClaimedRow[]): Admission {
    this.#prefetch.weigh(claimed)
    if (claimed.length === 0) return { kept: claimed, returned: claimed }
    const suspect = claimed.find((row) => isSuspect(row, this.#maxCrashes))
    this.#wasSuspect = suspect !== undefined
    return suspect ? this.#onTrial(suspect, claimed) : this.#onlyStartable(claimed)
  }

  #onTrial(suspect: ClaimedRow, claimed: readonly ClaimedRow[]): Admission {
    this.#trial = { row: suspect, until: clock.now() + TRIAL_MS }
    const others = claimed.filter((row) => row !== suspect)
    return { kept: [suspect], returned: [...others, ...this.#pool.unstarted()] }
  }

  /** Without the rows that would have to wait, and must not. */
  #onlyStartable(claimed: readonly ClaimedRow[]): Admission {
    const mustNotWait = (row: ClaimedRow): boolean => isLastRun(row, this.#maxCrashes)
    this.#mayPrefetch = !claimed.some(mustNotWait)
    if (this.#mayPrefetch) return { kept: claimed, returned: [] }
    const { free } = this.#pool
    const isKept = (row: ClaimedRow, at: number): boolean => at < free || !mustNotWait(row)
    return {
      kept: claimed.filter(isKept),
      returned: claimed.filter((row, at) => !isKept(row, at)),
    }
  }

  #isOnTrial(): boolean {
    const trial = this.#trial
    if (trial === undefined) return false
    // Until its outcome is stored: a process that is killed before that has lost it.
    if (clock.now() < trial.until && this.#pool.held().some(({ row }) => row === trial.row))
      return true
    this.#trial = undefined
    return false
  }
}
