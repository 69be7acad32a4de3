import type { Held, Store, StoreOptions } from '../../../lib/store'
import { explained } from '../connections/database-errors'
import { patiently, type Session } from '../connections/session'
import { openSessionsOn } from '../open-store'
import type { Place } from '../place'
import type { Table } from '../table'

/** Rows of one statement, and the sizes that a list of ids is filled up to: each size is a statement to prepare. */
const MOST = 256
const SIZES = [1, 4, 16, 64, MOST]

/** Rows of a backend that belong somewhere else: they are claimed as a worker does it, and deleted once they are there. */
export interface Movable {
  readonly store: Store
  /** Deletes rows that are still held by their claim. */
  remove(rows: readonly Held[]): Promise<void>
}

/** With connections of its own, until the store is closed. @throws as `openStoreOn` */
export async function openMovable(
  place: Place,
  alias: string,
  options: Omit<StoreOptions, 'manager'>,
): Promise<Movable> {
  const { table } = place
  const { store, sessions } = await openSessionsOn(place, alias, {}, options)
  const ask = <T>(work: (session: Session) => Promise<T>): Promise<T> =>
    patiently(() => work(sessions.chore)).catch((error: unknown) => {
      throw explained(error, table.name)
    })
  return {
    store,
    remove: (rows) => ask((session) => remove(session, table, rows)),
  }
}

/** By claims, of which nearly all rows have had one: a row that somebody else has claimed meanwhile stays. */
async function remove(session: Session, { path }: Table, rows: readonly Held[]): Promise<void> {
  const byClaims = new Map<number, Held[]>()
  for (const row of rows) byClaims.set(row.claims, [...(byClaims.get(row.claims) ?? []), row])
  for (const [claims, held] of byClaims)
    for (const keys of portionsOf(held))
      await session.query(
        `DELETE FROM ${path} WHERE id IN (:keys) AND claims = :claims AND status = 'RUNNING'`,
        { keys, claims },
      )
}

/** As many ids as one of the sizes: the last one again. */
function* portionsOf(rows: readonly Held[]): Generator<string[]> {
  for (let at = 0; at < rows.length; at += MOST) {
    const keys = rows.slice(at, at + MOST).map(({ key }) => key)
    const size = SIZES.find((each) => each >= keys.length) ?? keys.length
    const last = keys.at(-1) ?? ''
    yield [...keys, ...Array<string>(size - keys.length).fill(last)]
  }
}
