import type { DataSource } from 'typeorm'
import { DBTaskResult } from '#entities'
import type { Store } from '#lib/store'
import type { SpecDatabase } from '../support/databases'
import { claimContract } from './claim.contract'
import { choreContract } from './chore.contract'
import { fenceContract } from './fence.contract'
import { malformedContract } from './malformed.contract'
import { Rows } from './rows'

export interface StoreWish {
  readonly backendName?: string
  readonly leaseSeconds?: number
  readonly maxCrashes?: number
}

/** What a store may not be able to do. */
export interface StoreAbilities {
  /** It passes over rows that others have locked, rather than wait for them. */
  readonly skipsLocked: boolean
  /** It takes rows whose id is written as no id should be. */
  readonly takesOddIds: boolean
}

/** What a suite works with: the table, past the store, and stores on it. All are closed after each spec. */
export interface StorePlace {
  readonly database: SpecDatabase
  readonly dataSource: () => DataSource
  readonly rows: () => Rows
  readonly open: (wish?: StoreWish) => Promise<Store>
  readonly abilities: StoreAbilities
}

export type OpenStore = (dataSource: DataSource, wish: StoreWish) => Promise<Store>

/** What each store must do, on one kind of database; `openStore` makes a store of its own connections. */
export function storeContract(
  database: SpecDatabase,
  openStore: OpenStore,
  abilities: StoreAbilities,
): void {
  let dataSource: DataSource
  const stores: Store[] = []

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
  })
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
    await new Rows(dataSource).clear()
  })

  const open = async (wish: StoreWish = {}): Promise<Store> => {
    const store = await openStore(dataSource, wish)
    stores.push(store)
    return store
  }
  const place: StorePlace = {
    database,
    dataSource: () => dataSource,
    rows: () => new Rows(dataSource),
    open,
    abilities,
  }

  describe('claims', () => claimContract(place))
  describe('fences', () => fenceContract(place))
  describe('chores', () => choreContract(place))
  describe('malformed rows', () => malformedContract(place))
}
