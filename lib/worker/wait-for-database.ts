import { clock } from '../clock'
import { DatabaseUnreachableError } from '../errors/errors'
import { log } from '../events/logger'

/** How long in ms a worker waits at its start for a database, which may have been started in the same moment. */
export const PATIENCE_MS = 10_000
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 3_000

/**
 * What `work` resolves to; tried again while the database cannot be reached.
 *
 * @throws DatabaseUnreachableError if it cannot be reached for `patienceMs`; every other error at once.
 */
export async function reaching<T>(work: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = clock.now() + patienceMs
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(MAX_PAUSE_MS, 2 * pause)) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof DatabaseUnreachableError) || clock.now() + pause > deadline)
        throw error
      log.warn(`${error.what} It is tried again.`)
    }
    await clock.sleep(pause * (0.5 + Math.random()))
  }
}
