import { heartbeatContract } from './heartbeat.contract'
import { pauseContract } from './pause.contract'
import { databaseStoreContract } from './open-store'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) => {
  const isSqlite = database.name === 'sqlite'
  databaseStoreContract(database, { skipsLocked: !isSqlite, takesOddIds: isSqlite })
  heartbeatContract(database)
  pauseContract(database)
})
