import { onePerProcess } from '../../../lib/copies/one-per-process'
import type { Wakeup } from '../../../lib/store'
import type { Database } from '../connections/same-database'
import type { Hear } from './notify'

/** By database, since the data source of a worker may be another one than that of an enqueue. */
const listeners = onePerProcess('listeners', () => new WeakMap<Database, Set<Hear>>())

/** Hears what is told within this process; the returned function ends that. */
export function hearInProcess(database: Database, hear: Hear): () => void {
  const all = listeners.get(database) ?? new Set()
  listeners.set(database, all.add(hear))
  return () => void all.delete(hear)
}

/** Wakes the workers of this process. */
export function tellInProcess(database: Database, wakeup: Wakeup): void {
  for (const hear of listeners.get(database) ?? []) hear(wakeup)
}
