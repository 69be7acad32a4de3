import type { Store } from '../../../lib/store'
import type { RunningRelay } from './running-relay'

/** The store of a worker that has a relay beside it, and deletes old rows of the table, too. */
export function withRelay(store: Store, relay: RunningRelay): Store {
  const { prune, close } = store
  const own: Partial<Store> = {
    chores: [relay],
    prune: async (query) => {
      const deleted = await prune.call(store, query)
      const onProgress = (more: number): void => query.onProgress?.(deleted + more)
      return deleted + (await relay.prune({ ...query, onProgress }))
    },
    close: async () => {
      await relay.close().catch(() => {})
      await close.call(store)
    },
  }
  return Object.assign(store, own)
}
