import { clock } from '../clock'

/** How much the latest measurement counts beside the earlier ones. */
const WEIGHT = 0.3
/** So many exchanges ahead rows are asked for: one is on its way while another is waited for, and they vary. */
const AHEAD = 4
/** Milliseconds without any end that tell nothing yet. */
const LULL = 50
/** More would wait here while other workers are idle. Half of them make an exchange as cheap as it gets (measured on no-op tasks, in place of 400: a sixth more on PostgreSQL, a fifth on MariaDB). */
const MOST = 800

/**
 * How many rows are worth having at hand beside those that run: as many as start while an exchange with the database
 * takes its time, by what was measured of late. None for tasks that take long, hundreds for those that take microseconds.
 */
export class Pace {
  #perMillisecond = 0
  #latency = 0
  #since = clock.now()
  #lastEnd = Number.NEGATIVE_INFINITY

  get ahead(): number {
    // Nothing has ended for a while: what runs now takes long, whatever was before.
    if (clock.now() - this.#lastEnd > LULL + AHEAD * this.#latency) return 0
    return Math.min(MOST, Math.floor(this.#perMillisecond * this.#latency * AHEAD))
  }

  /** An exchange that was sent at `asked` came back; since the one before `ended` runs have ended. */
  measure(asked: number, ended: number): void {
    const now = clock.now()
    this.#latency = mixed(this.#latency, now - asked)
    this.#perMillisecond = mixed(this.#perMillisecond, ended / Math.max(0.1, now - this.#since))
    this.#since = now
    if (ended > 0) this.#lastEnd = now
  }
}

function mixed(earlier: number, latest: number): number {
  return earlier === 0 ? latest : earlier + WEIGHT * (latest - earlier)
}
