import { openDatabaseStore } from './open-store'
import { storeContract } from './store.contract'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) => {
  const isSqlite = database.name === 'sqlite'
  storeContract(database, openDatabaseStore, { skipsLocked: !isSqlite, takesOddIds: isSqlite })
})
