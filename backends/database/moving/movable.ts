import type { Held, Store, StoreOptions } from '../../../lib/store'
import { explained } from '../connections/database-errors'
import { patiently, type Session } from '../connections/session'
import { openSessionsOn } from '../open-store'
import type { Place } from '../place'
import { portionsOf } from './portions'

/** Rows of a backend that belong somewhere else: they are claimed as a worker does it, and deleted once they are there. */
export interface Movable {
  readonly store: Store
  /** Takes the unique keys from rows that are still held by their claim. */
  freeKeys(rows: readonly Held[]): Promise<void>
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
    freeKeys: (rows) =>
      ask((session) => change(session, `UPDATE ${table.path} SET unique_key = NULL`, rows)),
    remove: (rows) => ask((session) => change(session, `DELETE FROM ${table.path}`, rows)),
  }
}

/** By claims, of which nearly all rows have had one: a row that somebody else has claimed meanwhile stays as it is. */
async function change(session: Session, statement: string, rows: readonly Held[]): Promise<void> {
  const byClaims = new Map<number, string[]>()
  for (const { key, claims } of rows) byClaims.set(claims, [...(byClaims.get(claims) ?? []), key])
  for (const [claims, held] of byClaims)
    for (const keys of portionsOf(held))
      await session.query(
        `${statement} WHERE id IN (:keys) AND claims = :claims AND status = 'RUNNING'`,
        { keys, claims },
      )
}
