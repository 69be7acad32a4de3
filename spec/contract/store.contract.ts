import type { TaskBackend } from '#lib/backend'
import type { Store } from '#lib/store'
import { choreContract } from './chore.contract'
import { claimContract } from './claim.contract'
import { fenceContract } from './fence.contract'
import { historyContract } from './history.contract'
import { malformedContract } from './malformed.contract'
import type { Rows } from './rows'

export interface StoreWish {
  readonly backendName?: string
  readonly leaseSeconds?: number
  readonly maxCrashes?: number
}

/** What a store may be unable to do, or what its columns may refuse. */
export interface StoreAbilities {
  /** It takes the best of all rows first. Else that is so within a queue, as far as its engine has it. */
  readonly ordersAll: boolean
  /** It passes over rows that others have locked, rather than wait for them. */
  readonly skipsLocked: boolean
  /** Backends of several aliases keep their rows in one place, such as a table, so that one can list those of all. */
  readonly sharesPlace: boolean
  /** It takes rows whose id is not written as ids are. */
  readonly takesOddIds: boolean
  /** Its JSON columns keep text that is no JSON. */
  readonly keepsAnyText: boolean
  /** Its columns of instants keep text that is no instant. */
  readonly keepsAnyInstant: boolean
  /** Its column of priorities keeps numbers out of range. */
  readonly keepsAnyPriority: boolean
}

/** Where rows are, and backends on them. */
export interface StorePlace {
  readonly rows: Rows
  readonly backend: (alias: string, options: { readonly maxCrashes: number }) => TaskBackend
}

/** What a suite works with: rows past the store, and stores. Stores are closed after each spec. */
export interface ContractPlace {
  readonly rows: () => Rows
  readonly backend: (alias?: string) => TaskBackend
  readonly open: (wish?: StoreWish) => Promise<Store>
  readonly abilities: StoreAbilities
}

/** What each store must do. */
export function storeContract(placeOf: () => Promise<StorePlace>, abilities: StoreAbilities): void {
  let opened: StorePlace
  const stores: Store[] = []

  beforeAll(async () => {
    opened = await placeOf()
  })
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
    await opened.rows.clear()
  })

  const backend = (alias = 'default', maxCrashes = 3): TaskBackend =>
    opened.backend(alias, { maxCrashes })
  const open = async ({
    backendName,
    leaseSeconds = 30,
    maxCrashes,
  }: StoreWish = {}): Promise<Store> => {
    const store = await backend(backendName, maxCrashes).openStore({ leaseSeconds })
    stores.push(store)
    return store
  }
  const place: ContractPlace = { rows: () => opened.rows, backend, open, abilities }

  describe('claims', () => claimContract(place))
  describe('fences', () => fenceContract(place))
  describe('chores', () => choreContract(place))
  describe('histories', () => historyContract(place))
  describe('malformed rows', () => malformedContract(place))
}
