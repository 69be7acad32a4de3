import { Portable } from '#portable/dialect'

// Nothing is imitated: every database here is served by the real dialect of those that have none of their own.
// It waits for locks, and knows ids by their meaning.
jest.mock('#dialects/dialect', () => ({
  dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table),
}))

import { openDatabaseStore } from './open-store'
import { storeContract } from './store.contract'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) =>
  storeContract(database, openDatabaseStore, { skipsLocked: false, takesOddIds: false }),
)

import './backends.spec'
import './end-to-end.spec'
