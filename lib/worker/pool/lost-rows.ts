import type { Held } from '../../store'

/** Lost rows that are remembered. */
const MOST_LOST = 1_000

/** The latest runs that ended after their lease was lost; without their arguments, which may be large. */
export class LostRows {
  #rows: readonly Held[] = []

  get all(): readonly Held[] {
    return this.#rows
  }

  remember({ key, claims }: Held): void {
    this.#rows = [...this.#rows, { key, claims }].slice(-MOST_LOST)
  }
}
