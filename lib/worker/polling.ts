import type { Outcome } from '../store'

/** After work, or when told of some, a worker looks again after this many milliseconds, then twice as long each time, up to its interval. */
const QUICKEST_LOOK = 10

/** When a worker that has room looks for rows again. */
export class Looks {
  /** How often in a row there was nothing to claim. */
  #idle = Number.POSITIVE_INFINITY
  #isTold = false

  /** Whether a row was put into a queue since the last look, or by it: a store may not see as READY what it makes so in the same exchange. */
  get isTold(): boolean {
    return this.#isTold
  }

  /** Somebody says that there is a row. */
  tell(): void {
    this.#idle = 0
    this.#isTold = true
  }

  /** The store is asked now: what was told before, it knows. */
  begin(): void {
    this.#isTold = false
  }

  /** The store has taken these outcomes, and was asked for so many rows. */
  end(outcomes: readonly Outcome[], room: number, claimed: number): void {
    this.#isTold ||= outcomes.some(({ status }) => status === 'READY')
    if (room > 0) this.#idle = claimed > 0 ? 0 : this.#idle + 1
  }

  /** Milliseconds until the next look, at most `interval`. */
  patience(interval: number): number {
    return Math.min(interval, QUICKEST_LOOK * 2 ** this.#idle)
  }
}
