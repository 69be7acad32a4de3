import { clock } from '../clock'
import { log } from '../events/logger'
import { briefName } from '../errors/suggestions'
import type { ClaimedRow } from '../store'

/** How long, in ms, a worker gives back a row whose task it does not know, before it makes it FAILED. */
export const UNKNOWN_MS = 5 * 60_000
/** Pause in ms between two warnings about tasks of one name. */
const WARN_MS = 60_000
/** Rows, and names, that are remembered; beyond that, the oldest are forgotten. */
const MOST_ROWS = 10_000
const MOST_NAMES = 100

/**
 * Rows of tasks that are not defined in this process. Another worker may know them: one of another app on the same table, or
 * of the next version, whose producers were deployed first.
 */
export class UnknownTasks {
  readonly #rows = new Map<string, number>()
  readonly #warnedAt = new Map<string, number>()

  /** Whether the row is to be given back once more; false when it has had its time. */
  mayWait({ key, values: { taskName } }: ClaimedRow): boolean {
    const now = clock.now()
    const since = this.#rows.get(key) ?? now
    if (now - since >= UNKNOWN_MS) {
      this.#rows.delete(key)
      return false
    }
    remember(this.#rows, key, since, MOST_ROWS)
    this.#warn(taskName, now)
    return true
  }

  #warn(taskName: string, now: number): void {
    if (now - (this.#warnedAt.get(taskName) ?? Number.NEGATIVE_INFINITY) < WARN_MS) return
    remember(this.#warnedAt, taskName, now, MOST_NAMES)
    log.warn(
      `The task "${briefName(taskName)}" is not defined in this process. Its rows are given back for ${UNKNOWN_MS / 60_000} minutes, in case another worker knows it, and then are FAILED. Import the file that defines it here, or serve its queue elsewhere.`,
    )
  }
}

function remember(map: Map<string, number>, key: string, value: number, most: number): void {
  if (map.size >= most && !map.has(key)) {
    const [oldest] = map.keys()
    if (oldest !== undefined) map.delete(oldest)
  }
  map.set(key, value)
}
