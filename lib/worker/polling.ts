import type { Outcome } from '../store'

/** First delay in ms between two polls, after work or a wake-up. It doubles up to the worker's interval. */
const FIRST_DELAY_MS = 10

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
