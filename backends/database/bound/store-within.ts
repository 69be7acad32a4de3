import type { EntityManager } from 'typeorm'
import { InvalidTaskError } from '../../../lib/errors/errors'
import type { Store } from '../../../lib/store'
import { managerFor } from '../ambient-transaction'
import { Session } from '../connections/session'
import type { Place } from '../place'
import { pausedQueuesOn } from '../queues/pauses'
import { DatabaseStore, type StoreSettings } from '../store'

type Wanted = Pick<StoreSettings, 'backendName' | 'leaseSeconds' | 'maxCrashes'>

/**
 * A store all of whose statements are a part of the transaction of `manager`. It has one connection, so its verbs must follow one
 * another.
 *
 * @throws InvalidTaskError if the manager is in no transaction, or of another database or table.
 */
export function storeWithin(
  manager: EntityManager,
  { dataSource, table, dialect }: Place,
  wanted: Wanted,
): Store {
  const joined = managerFor(dataSource, manager)
  if (!joined.queryRunner?.isTransactionActive)
    throw new InvalidTaskError(
      'The manager is in no transaction, so nothing could be rolled back.',
      'Pass the manager that `dataSource.transaction(…)` gives, or that of a query runner after `startTransaction()`.',
    )
  const session = Session.of(joined, dataSource)
  const sessions = { exchange: session, renewal: session, chore: session, walk: session }
  const { name: tableName, hexIds } = table
  const pausedQueues = pausedQueuesOn(session, dialect, table, wanted.backendName)
  const settings = { ...wanted, tableName, hexIds, pausedQueues }
  return new DatabaseStore(sessions, dialect, settings, async () => {})
}
