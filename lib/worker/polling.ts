import { clock } from '../clock'
import type { ClaimedRow, Outcome } from '../store'

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
 * per row as it gets (measured on no-op tasks, in place of 400: a sixth more on PostgreSQL, a fifth on MariaDB).
 */
const MAX_PREFETCH = 800

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
