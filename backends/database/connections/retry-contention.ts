import { clock } from '../../../lib/clock'
import { isContention } from './database-errors'

/** How long contention is retried. */
const PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100

/**
 * Runs `work` again as long as it fails by contention, for up to 30 s. SQLite's driver is told not to wait for locks,
 * since it would block the whole process meanwhile; the waiting happens here, where tasks can go on.
 */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = clock.now() + PATIENCE_MS
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
    try {
      return await work()
    } catch (error) {
      if (!isContention(error) || clock.now() > deadline) throw error
      await clock.sleep(pause * (0.5 + Math.random()))
    }
  }
}
