import type { Place } from '../place'
import type { Session } from '../connections/session'
import type { NewOrder, Written } from './insert'
import { writeOrders } from './write-orders'

interface Writing {
  readonly backendName: string
  readonly idsAreNew: boolean
  /** Tells workers of other processes. */
  readonly notifies: boolean
}

/** Writes rows for the orders, and tells idle workers of those that are due. */
export async function writeAndTell(
  { dialect, wakeups }: Pick<Place, 'dialect' | 'wakeups'>,
  session: Session,
  rows: readonly NewOrder[],
  { backendName, idsAreNew, notifies }: Writing,
): Promise<readonly Written[]> {
  const told = wakeups.queuesOf(
    rows.map(({ order }) => order),
    session,
    notifies,
  )
  let isTold = false
  const target = {
    session,
    dialect,
    backendName,
    idsAreNew,
    notify: told.length > 0 && notifies,
    onWritten: () => {
      isTold = true
      wakeups.written(told, true, session, notifies)
    },
  }
  let isAnyNew = false
  try {
    const written = await writeOrders(target, rows)
    isAnyNew = written.some(({ isNew }) => isNew)
    return written
  } finally {
    if (!isTold) wakeups.written(told, isAnyNew, session, notifies)
  }
}
