import type { DBTaskResult } from '#entities'
import { afterCrash } from '#retry'
import type { Exchange, Rescued, Store, ClaimFilter } from '#lib/store'

/** The filter of a worker that serves every queue, unless told otherwise. */
export function claimFilter(differently: Partial<ClaimFilter> = {}): ClaimFilter {
  return { workerId: 'w-1', queues: null, excludeQueues: [], ...differently }
}

/** The raw columns of a row, by their names. JSON and instants are text. */
export type RawColumns = Readonly<Record<string, string | number | null>>

/** The rows behind a store, written and read past it. */
export interface Rows {
  clear(): Promise<void>
  /** Writes rows that wait, with these differences from the default; gives their ids. */
  add(...rows: Partial<DBTaskResult>[]): Promise<string[]>
  addMany(count: number): Promise<string[]>
  count(): Promise<number>
  get(id: string): Promise<DBTaskResult>
  update(id: string, change: Partial<DBTaskResult>): Promise<void>
  /** Makes the row look as if its worker had not renewed its lease for a minute. */
  expire(id: string): Promise<void>
  /** Writes columns that the library would write only well formed. */
  tamper(id: string, columns: RawColumns): Promise<void>
  /** The id as the store spells it. */
  key(id: string): string
  /** An instant as the store takes it in a raw column. */
  instant(date: Date): string
  /** Runs `work` while another session has locked the row; only where the store can pass over locked rows. */
  whileLocked?(id: string, work: () => Promise<void>): Promise<void>
}

/** Takes over what dead workers held, as a worker does. */
export function rescue(store: Store): Promise<Rescued> {
  return store.rescue((row) => afterCrash(row, store.maxCrashes))
}

/** Takes up to `limit` rows and hands nothing in. */
export function claim(
  store: Store,
  limit: number,
  differently: Partial<ClaimFilter> = {},
): Promise<Exchange> {
  return store.exchange([], limit, claimFilter(differently))
}

export function idsOf({ claimed }: Exchange): string[] {
  return claimed.map(({ values }) => values.id)
}
