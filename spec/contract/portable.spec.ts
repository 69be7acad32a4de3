import { Portable } from '#portable/dialect'

// Nothing is imitated: every database here is served by the real dialect of those that have none of their own.
// It waits for locks, and knows ids by their meaning. It writes row by row, so its drains take longer.
jest.setTimeout(90_000)

jest.mock('#dialect-for', () => ({
  dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table),
}))

import { heartbeatContract } from './heartbeat.contract'
import { databaseStoreContract } from './open-store'
import { pauseContract } from './pause.contract'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) => {
  databaseStoreContract(database, { skipsLocked: false, takesOddIds: false })
  heartbeatContract(database)
  pauseContract(database)
})

import './backends.spec'
import './end-to-end.spec'
