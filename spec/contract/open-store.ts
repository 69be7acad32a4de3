import { DatabaseBackend } from '#backends/database'
import type { OpenStore } from './store.contract'

/** A store of the Database backend, with connections of its own. */
export const openDatabaseStore: OpenStore = (
  dataSource,
  { backendName = 'default', leaseSeconds = 30, maxCrashes = 3 },
) =>
  new DatabaseBackend(backendName, { queues: [], options: { dataSource, maxCrashes } }).openStore({
    leaseSeconds,
  })
