import { hexOf } from '../../../entities/formats'
import { recordOf } from '../../../lib/errors/error-record'
import { TaskCancelled } from '../../../lib/errors/run-errors'
import { patiently, type Session } from '../connections/session'
import type { Place } from '../place'
import { settledAfter } from './settled-after'

interface Asking {
  readonly alias: string
  /** Tells workers of other processes. */
  readonly notifies: boolean
}

/** A waiting row is FAILED at once; a running one as soon as its worker, in any process, is notified or renews its lease. False: it has finished. */
export async function cancelStep(
  { table, dialect, wakeups }: Place,
  session: Session,
  id: string,
  { alias, notifies }: Asking,
): Promise<boolean> {
  const key = table.hexIds ? hexOf(id) : id
  const cancelled = recordOf(new TaskCancelled())
  // A deadlock has ended the transaction of a caller, and is theirs to try again.
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    session.isJoined ? work() : patiently(work)
  // It may change between the two statements; then it is the other by the second time, or has finished.
  for (let look = 0; look < 2; look++) {
    if ((await ask(() => dialect.cancelReady(session, key, cancelled))) > 0) {
      await ask(() => settledAfter(key, { dialect, session, table, alias }))
      return true
    }
    if ((await ask(() => dialect.requestCancel(session, key, notifies))) > 0) {
      wakeups.tell({ what: 'cancel', key }, session, notifies)
      return true
    }
  }
  return false
}
