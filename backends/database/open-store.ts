import { inTime } from '../../lib/clock'
import type { Store, StoreOptions } from '../../lib/store'
import type * as bound from './bound/store-within'
import { assertUsable } from './checks/check'
import { unreachable } from './connections/database-errors'
import { openWorkerSessions } from './connections/worker-data-source'
import type { Sessions } from './connections/worker-connections'
import type { DatabaseOptions } from './options'
import type { Place } from './place'
import { pausedQueuesOn } from './queues/pauses'
import { DatabaseStore } from './store'
import { listenerOn } from './wakeups/notify'
import { heartbeatOn } from './workers/heartbeat'

/** Limit for the checks before a worker starts; they may have to wait for locks of others. */
const CHECK_MS = 40_000
const CLOSE_MS = 3_000

type Options = Pick<DatabaseOptions, 'leaseSeconds' | 'maxCrashes' | 'notify'>

/** The store of a worker, with connections of its own. @throws DataSourceError or DatabaseError if the table cannot be used. */
export async function openStoreOn(
  place: Place,
  backendName: string,
  options: Options,
  given: StoreOptions,
): Promise<Store> {
  const { manager, leaseSeconds = options.leaseSeconds ?? 30 } = given
  if (!manager) return (await openSessionsOn(place, backendName, options, given)).store
  const { storeWithin } = require('./bound/store-within') as typeof bound
  const maxCrashes = options.maxCrashes ?? 3
  return storeWithin(manager, place, { backendName, leaseSeconds, maxCrashes })
}

/** The same, with its connections: for as long as the store is open. */
export async function openSessionsOn(
  place: Place,
  backendName: string,
  options: Options,
  { leaseSeconds = options.leaseSeconds ?? 30, wakeup }: Omit<StoreOptions, 'manager'>,
): Promise<{ store: Store; sessions: Sessions }> {
  const { dataSource: app, table, dialect, wakeups } = place
  const maxCrashes = options.maxCrashes ?? 3
  const notifies = options.notify ?? true
  const sessions = await openWorkerSessions(app, leaseSeconds, wakeup && listenerOn(table, wakeup))
  await inTime(assertUsable(sessions.dataSource, sessions.chore, dialect, table), CHECK_MS).catch(
    async (error: unknown) => {
      await inTime(sessions.close(), CLOSE_MS).catch(() => {})
      throw unreachable(error, table.type)
    },
  )
  const unhear = wakeup ? wakeups.hear(wakeup, notifies) : () => {}
  const close = async (): Promise<void> => (unhear(), sessions.close())
  const { name: tableName, hexIds } = table
  const known = { tableName, backendName, leaseSeconds }
  const heartbeat = heartbeatOn(sessions, dialect, table.workers, known)
  const pausedQueues = pausedQueuesOn(sessions.chore, dialect, table, backendName)
  const settings = { ...known, hexIds, maxCrashes, heartbeat, pausedQueues }
  return { store: new DatabaseStore(sessions, dialect, settings, close), sessions }
}
