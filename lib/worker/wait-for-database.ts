import { clock } from '../clock'
import { DatabaseUnreachableError } from '../errors/errors'
import { log } from '../events/logger'

/** So long is a database waited for at the start of a worker, in milliseconds: it may have been started in the same moment. */
export const PATIENCE = 10_000
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 3_000

/**
 * What `work` gives, tried again while the database cannot be reached.
 *
 * @throws DatabaseUnreachableError if it cannot for `patience` milliseconds; whatever else goes wrong at once.
 */
export async function reaching<T>(work: () => Promise<T>, patience = PATIENCE): Promise<T> {
  const deadline = clock.now() + patience
  for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
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
