import { clock } from '../clock'
import { isLastRun, isSuspect } from '../execution/retry'
import { tasks } from '../registry'
import type { ClaimedRow, Outcome } from '../store'
import type { TaskPool } from './pool/task-pool'
import type { WorkerSettings } from './worker-options'

/** First delay in ms between two polls, after work or a wake-up. It doubles up to the worker's interval. */
const FIRST_DELAY_MS = 10

/** Weight of the latest measurement in the moving averages. */
const WEIGHT = 0.3
/** Rows are prefetched for this many exchanges: one is under way while the next is waited for, and their latency varies. */
const EXCHANGES_AHEAD = 4
/** Shortest time in ms without a finished run after which nothing is prefetched. */
const LULL_MS = 50
/**
 * Most rows to prefetch; more would wait here while other workers are idle. With half of them an exchange is as cheap
 * per row as it gets (measured on no-op tasks, in place of 800: a fifth more on PostgreSQL, half as much again on MariaDB).
 */
const MAX_PREFETCH = 1600

/** The most bytes of arguments that a worker has at hand: rows are claimed by their number, but fill memory by their size. */
const MAX_BYTES = 32 * 1024 * 1024

/** When a worker with free capacity polls for rows again. */
export class Polling {
  /** How many polls in a row found nothing to claim. */
  #idle = Number.POSITIVE_INFINITY
  #isWoken = false

  /**
   * True if a row was put into a queue since the last poll began, or by that poll: a store may not yet see as READY what
   * the same exchange makes READY.
   */
  get isWoken(): boolean {
    return this.#isWoken
  }

  /** Records a wake-up: there is a row. */
  wake(): void {
    this.#idle = 0
    this.#isWoken = true
  }

  /** A poll begins: it sees all that was announced before. */
  begin(): void {
    this.#isWoken = false
  }

  /** The poll that began last has stored `outcomes`, and claimed `claimed` rows of at most `limit`. */
  end(outcomes: readonly Outcome[], limit: number, claimed: number): void {
    this.#isWoken ||= outcomes.some(({ status }) => status === 'READY')
    if (limit > 0) this.#idle = claimed > 0 ? 0 : this.#idle + 1
  }

  /** Delay in ms until the next poll, at most `intervalMs`. */
  delay(intervalMs: number): number {
    return Math.min(intervalMs, FIRST_DELAY_MS * 2 ** this.#idle)
  }
}

/**
 * How many rows to claim beyond those that run: as many as start while one exchange with the database is under way, by
 * recent measurements. None for slow tasks, hundreds for tasks that take microseconds.
 */
export class Prefetch {
  #endedPerMs = 0
  #latencyMs = 0
  #bytesPerRow = 0
  #measuredAt = clock.now()
  #lastEndAt = Number.NEGATIVE_INFINITY

  get limit(): number {
    // No run has finished for a while: those that run now are slow, whatever was measured before.
    if (clock.now() - this.#lastEndAt > LULL_MS + EXCHANGES_AHEAD * this.#latencyMs) return 0
    return Math.min(MAX_PREFETCH, Math.floor(this.#endedPerMs * this.#latencyMs * EXCHANGES_AHEAD))
  }

  /** An exchange that was sent at `askedAt` was answered; `ended` runs have finished since the exchange before it. */
  measure(askedAt: number, ended: number): void {
    const now = clock.now()
    this.#latencyMs = averaged(this.#latencyMs, now - askedAt)
    this.#endedPerMs = averaged(this.#endedPerMs, ended / Math.max(0.1, now - this.#measuredAt))
    this.#measuredAt = now
    if (ended > 0) this.#lastEndAt = now
  }

  /** Learns from claimed rows how large the next ones may be. */
  weigh(rows: readonly ClaimedRow[]): void {
    if (rows.length === 0) return
    const bytes = rows.reduce((sum, row) => sum + (row.bytes ?? 0), 0) / rows.length
    this.#bytesPerRow = Math.max(bytes, averaged(this.#bytesPerRow, bytes))
  }

  /** How many more rows may be at hand by their size, beside `held` ones that run or wait. A single row may be of any size. */
  roomFor(held: number): number {
    if (this.#bytesPerRow === 0) return Number.POSITIVE_INFINITY
    return Math.max(1, Math.floor(MAX_BYTES / this.#bytesPerRow)) - held
  }
}

function averaged(earlier: number, latest: number): number {
  return earlier === 0 ? latest : earlier + WEIGHT * (latest - earlier)
}

/** Time in ms in which a suspect has its worker to itself: of the tasks that kill, most do so at once. */
const TRIAL_MS = 5_000
/** Time in ms after which a suspect that still runs keeps others no longer from beginning. */
const PROVEN_MS = 5 * 60_000
/** Delay in ms until a suspect whose turn it is not may be claimed again, by any worker; half of it is random. */
const POSTPONED_MS = 3_000

/** What becomes of the rows of a claim. */
export interface Admission {
  readonly kept: readonly ClaimedRow[]
  /** To be given back before the others start. */
  readonly returned: readonly ClaimedRow[]
  /** To be given back as well, with a delay of `postponedMs`. */
  readonly postponed: readonly ClaimedRow[]
}

/**
 * Decides how many rows a worker claims, and which of them it keeps. If its process is killed, each row at hand counts a
 * lost worker, also one that never began. So a row that would be FAILED by that is only at hand while it runs. A suspect, a
 * row that has cost all workers but one, begins with no other at hand that begins, and not while another suspect runs: else
 * the one that kills takes the others with it.
 */
export class Intake {
  readonly #pool: TaskPool
  readonly #settings: WorkerSettings
  readonly #maxCrashes: number
  readonly #prefetch = new Prefetch()
  /** The latest claim had no row that must not wait here. */
  #mayPrefetch = true
  /** The latest claim had a suspect: there may be more. */
  #wasSuspect = false
  /** The suspect that began last, while it runs. */
  #suspect: { readonly row: ClaimedRow; readonly since: number } | undefined
  #isOnTrial = false
  /** As long as the last trial took, other rows have their turn. */
  #nextTrialAt = Number.NEGATIVE_INFINITY
  /** Until then rows that were postponed are not due. */
  #owesUntil = Number.NEGATIVE_INFINITY

  /** `maxCrashes`: how many workers a row may cost. */
  constructor(pool: TaskPool, settings: WorkerSettings, maxCrashes: number) {
    this.#pool = pool
    this.#settings = settings
    this.#maxCrashes = maxCrashes
  }

  /** How many rows to claim now. */
  get limit(): number {
    this.#look()
    if (this.#isOnTrial) return 0
    const { concurrency, maxTasks } = this.#settings
    const ahead = this.#mayPrefetch ? this.#prefetch.limit : 0
    // Half of what fits in, where rows are prefetched: one half runs while the database is at work for the other.
    const half = Math.max(concurrency, Math.ceil((concurrency + ahead) / 2))
    const light = this.#prefetch.roomFor(concurrency - this.#pool.free)
    // All but the first suspect of a claim would be given back.
    const most = this.#wasSuspect && this.#mayTry ? 1 : half
    return Math.max(0, Math.min(this.#pool.free + ahead, most, light, maxTasks - this.#pool.taken))
  }

  /** Time in ms until the limit may rise by itself: for ever, unless a suspect is on trial. */
  get fullMs(): number {
    return this.#isOnTrial && this.#suspect
      ? this.#suspect.since + TRIAL_MS - clock.now()
      : Number.POSITIVE_INFINITY
  }

  /** Whether rows are READY, though not due, because this worker has postponed them. */
  get owes(): boolean {
    return clock.now() < this.#owesUntil
  }

  get postponedMs(): number {
    return Math.round(POSTPONED_MS * (0.5 + Math.random() / 2))
  }

  /** An exchange that was sent at `askedAt` was answered; `ended` runs have finished since the exchange before it. */
  measure(askedAt: number, ended: number): void {
    this.#prefetch.measure(askedAt, ended)
  }

  /** Which of the rows just claimed are kept. */
  admit(claimed: readonly ClaimedRow[]): Admission {
    this.#prefetch.weigh(claimed)
    if (claimed.length === 0) return { kept: [], returned: [], postponed: [] }
    const suspects = claimed.filter((row) => this.#isInDanger(row) && this.#isSuspect(row))
    const [first, ...others] = suspects
    this.#wasSuspect = first !== undefined
    if (first === undefined) return { ...this.#onlyStartable(claimed), postponed: [] }
    this.#look()
    const innocents = claimed.filter((row) => !suspects.includes(row))
    if (!this.#mayTry) {
      this.#owesUntil = clock.now() + 2 * POSTPONED_MS
      return { ...this.#onlyStartable(innocents), postponed: suspects }
    }
    if (others.length > 0) this.#owesUntil = clock.now() + 2 * POSTPONED_MS
    this.#suspect = { row: first, since: clock.now() }
    this.#isOnTrial = true
    return {
      kept: [first],
      returned: [...innocents, ...this.#pool.unstarted()],
      postponed: others,
    }
  }

  /** Without the rows that would have to wait, and must not. */
  #onlyStartable(claimed: readonly ClaimedRow[]): Pick<Admission, 'kept' | 'returned'> {
    const mustNotWait = (row: ClaimedRow): boolean =>
      this.#isInDanger(row) && isLastRun(row, this.#maxCrashes)
    this.#mayPrefetch = !claimed.some(mustNotWait)
    if (this.#mayPrefetch) return { kept: claimed, returned: [] }
    const { free } = this.#pool
    const isKept = (row: ClaimedRow, at: number): boolean => at < free || !mustNotWait(row)
    return {
      kept: claimed.filter(isKept),
      returned: claimed.filter((row, at) => !isKept(row, at)),
    }
  }

  /** Most rows have neither a history nor options: then a lost worker is not their end. */
  #isInDanger({ options, values: { errors } }: ClaimedRow): boolean {
    return this.#maxCrashes === 1 || errors.length > 0 || 'rerunAfterCrash' in options
  }

  /** One in a process of its own cannot kill the worker. */
  #isSuspect(row: ClaimedRow): boolean {
    return isSuspect(row, this.#maxCrashes) && !tasks.find(row.values.taskName)?.isolate
  }

  get #mayTry(): boolean {
    return this.#suspect === undefined && clock.now() >= this.#nextTrialAt
  }

  /** Whether the trial is over, and the suspect gone. */
  #look(): void {
    const suspect = this.#suspect
    if (suspect === undefined) return
    const now = clock.now()
    // Until its outcome is stored: a process that is killed before that has lost it.
    const isHeld = this.#pool.held().some(({ row }) => row === suspect.row)
    if (this.#isOnTrial && (!isHeld || now - suspect.since >= TRIAL_MS)) {
      this.#isOnTrial = false
      const took = Math.min(TRIAL_MS, now - suspect.since)
      this.#nextTrialAt = suspect.since + 2 * took
    }
    if (!isHeld || now - suspect.since >= PROVEN_MS) this.#suspect = undefined
  }
}
