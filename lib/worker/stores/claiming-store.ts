import type { Store } from '../../store'

/** What the loop itself needs of a store. */
export type ClaimingStore = Pick<
  Store,
  'maxCrashes' | 'exchangesAtOnce' | 'exchange' | 'release' | 'close'
>
