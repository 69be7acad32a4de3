import { clock, inTime } from '../clock'
import { briefly } from '../errors/error-record'
import { briefName } from '../errors/suggestions'
import { log } from '../events/logger'
import type { ClaimedRow, Held, Store } from '../store'

/** Time in ms in which it is tried again, and for which an answer is waited for. */
const PATIENCE_MS = 5_000
/** First pause in ms between two tries; it doubles. */
const FIRST_PAUSE_MS = 100

/**
 * Gives rows back to the store; never throws. Tries again for some seconds: of a row that is left to its lease a crash is
 * counted, though it may never have run. Resolves to whether the store has answered.
 */
export async function giveBack(
  store: Pick<Store, 'release'>,
  rows: readonly Held[],
  delayMs?: number,
  patienceMs = PATIENCE_MS,
): Promise<boolean> {
  if (rows.length === 0) return true
  const deadline = clock.now() + patienceMs
  for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
    try {
      await inTime(store.release(rows, delayMs), deadline - clock.now())
      return true
    } catch (error) {
      if (clock.now() + pause > deadline) {
        log.error(`${rows.length} row(s) could not be given back: ${briefly(error)}`)
        return false
      }
      await clock.sleep(pause)
    }
  }
}

/** What a worker that is stopped waits for. A batch that is done waits for nothing. */
export function sayAwaited(tasks: number, timeoutMs: number): void {
  if (tasks > 0)
    log.info(
      `Waiting for ${tasks} running ${tasks === 1 ? 'task' : 'tasks'}, at most ${timeoutMs / 1000} s`,
    )
}

/** The tasks that a worker did not wait for any longer. */
export function sayUnfinished(rows: readonly Pick<ClaimedRow, 'values'>[]): void {
  for (const { values } of rows)
    log.warn(
      `Task id=${values.id} path=${briefName(values.taskName)} has not finished and is given back`,
    )
}
