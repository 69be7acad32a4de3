import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import { isMySqlFamily, type SpecDatabase } from '../support/databases'
import { DatabaseRows } from './database-rows'
import { type StoreAbilities, storeContract } from './store.contract'

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
        backend: (alias, options) =>
          new DatabaseBackend(alias, { queues: [], options: { dataSource, ...options } }),
      }
    },
    {
      ...abilities,
      ordersAll: true,
      sharesPlace: true,
      keepsAnyText: name !== 'postgres',
      keepsAnyInstant: name === 'sqlite',
      keepsAnyPriority: isMySqlFamily(name),
    },
  )
}
