import { Portable } from '../../backends/database/dialects/portable'

// Here every database is served as one that has no dialect of its own: it waits for locks, and knows ids by their meaning.
jest.mock('../../backends/database/dialect', () => ({ dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table) }))

import { openDatabaseStore } from '../contract/open-store'
import { storeContract } from '../contract/store.contract'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase((database) => storeContract(database, openDatabaseStore, { skipsLocked: false, takesOddIds: false }))

import './backends.spec'
