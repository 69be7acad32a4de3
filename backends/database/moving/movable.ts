import { hexOf } from '../../../entities/formats'
import type { Held, Store, StoreOptions } from '../../../lib/store'
import { explained } from '../connections/database-errors'
import { patiently, type Session } from '../connections/session'
import { rowsOf } from '../dialects/plain-rows'
import { openSessionsOn } from '../open-store'
import type { Place } from '../place'
import type { Table } from '../table'

/** Rows of one statement, and the sizes that a list of ids is filled up to: each size is a statement to prepare. */
const MOST = 256
const SIZES = [1, 4, 16, 64, MOST]

/** Rows of a backend that belong somewhere else: they are claimed as a worker does it, and deleted once they are there. */
export interface Movable {
  readonly store: Store
  /** The unique keys of rows, as the column has them, by their `key`; a row without one is left out. */
  uniqueKeys(rows: readonly Held[]): Promise<ReadonlyMap<string, string>>
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
    uniqueKeys: (rows) => ask((session) => uniqueKeys(session, table, rows)),
    remove: (rows) => ask((session) => remove(session, table, rows)),
  }
}

interface Keyed {
  readonly row_key: string
  readonly unique_key: string
}

async function uniqueKeys(
  session: Session,
  { path, hexIds }: Table,
  rows: readonly Held[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const keys of portionsOf(rows)) {
    const text = `SELECT id AS row_key, unique_key AS unique_key FROM ${path} WHERE id IN (:keys) AND unique_key IS NOT NULL`
    const answer = await session.query(text, { keys })
    for (const { row_key, unique_key } of rowsOf<Keyed>(answer))
      found.set(hexIds ? hexOf(row_key) : row_key, unique_key)
  }
  return found
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
