import { DatabaseBackend } from '../../backends/database'
import { storeContract } from '../contract/store.contract'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) => {
  storeContract(database, (dataSource, { backendName = 'default', leaseSeconds = 30, maxCrashes = 3 }) => {
    const backend = new DatabaseBackend(backendName, { queues: [], options: { dataSource, maxCrashes } })
    return backend.openStore({ leaseSeconds })
  })
})
