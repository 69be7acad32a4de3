import { clock } from '../../../lib/clock'
import { isContention, isLocked } from './database-errors'

/** How long contention is retried. */
const PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100

/**
 * Runs `work` again as long as it fails by contention, for up to 30 s. SQLite's driver is told not to wait for locks,
 * since it would block the whole process meanwhile; the waiting happens here, where tasks can go on. `isInTheWay`: which
 * errors to wait for, by default all of contention.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  isInTheWay: (error: unknown) => boolean = isContention,
): Promise<T> {
  const deadline = clock.now() + PATIENCE_MS
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
    try {
      return await work()
    } catch (error) {
      if (!isInTheWay(error) || clock.now() > deadline) throw error
      await clock.sleep(pause * (0.5 + Math.random()))
    }
  }
}

/** As `patiently`, but gives up at once when a row is locked: those of others must not wait for it. */
export function unlessLocked<T>(work: () => Promise<T>): Promise<T> {
  return patiently(work, (error) => isContention(error) && !isLocked(error))
}
