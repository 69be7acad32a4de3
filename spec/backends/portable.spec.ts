import { dialectFor } from '../../backends/database/dialect'
import { Portable } from '../../backends/database/dialects/portable'
import { Session } from '../../backends/database/session'
import { DatabaseStore } from '../../backends/database/store'
import { openBookkeeping } from '../../backends/database/bookkeeping'
import { tableOf } from '../../backends/database/table'
import { storeContract } from '../contract/store.contract'
import { describeEachDatabase } from '../support/databases'

// Here every database is served as one that has no dialect of its own; the specs of the others must hold all the same.
jest.mock('../../backends/database/dialect', () => ({ dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table) }))

import './end-to-end.spec'

describeEachDatabase((database) => {
  storeContract(database, async (app, { backendName = 'default', leaseSeconds = 30, maxCrashes = 3 }) => {
    const dialect = dialectFor(await tableOf(app))
    expect(dialect.name).toBe('portable')
    const { dataSource, close } = await openBookkeeping(app)
    return new DatabaseStore(new Session(dataSource), dialect, { backendName, leaseSeconds, maxCrashes }, close)
  })
})
