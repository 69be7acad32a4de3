import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import type { Store } from '#lib/store'
import type { SpecDatabase } from '../support/databases'
import { DatabaseRows } from './database-rows'
import { type StoreAbilities, storeContract, type StoreWish } from './store.contract'

/** What a store must do, held against the Database backend on one kind of database. */
export function databaseStoreContract(
  database: SpecDatabase,
  abilities: Pick<StoreAbilities, 'skipsLocked' | 'takesOddIds'>,
): void {
  const { name } = database
  storeContract(
    async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      return {
        rows: new DatabaseRows(dataSource),
        open: ({
          backendName = 'default',
          leaseSeconds = 30,
          maxCrashes = 3,
        }: StoreWish): Promise<Store> =>
          new DatabaseBackend(backendName, {
            queues: [],
            options: { dataSource, maxCrashes },
          }).openStore({ leaseSeconds }),
      }
    },
    {
      ...abilities,
      keepsAnyText: name === 'sqlite' || name === 'mariadb',
      keepsAnyInstant: name === 'sqlite',
      keepsAnyPriority: name === 'mariadb',
    },
  )
}
