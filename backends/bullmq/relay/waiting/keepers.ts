import { dashed } from '../../../../entities/formats'
import type { Order, UserKey } from '../../../../lib/order'
import { assertHolds, storedKey } from '../../../keys'
import { keeps } from '../../../memory/row'
import { explained } from '../../../database/connections/database-errors'
import { patiently, Session } from '../../../database/connections/session'
import { rowsOf } from '../../../database/dialects/plain-rows'
import type { Dialect } from '../../../database/dialects/dialect'
import type { Place } from '../../../database/place'
import type { RawRow } from '../../../database/row'
import type { Table } from '../../../database/table'
import { portionsOf } from '../../../database/moving/portions'

/** A call, and its key. */
export type KeyedCall = Order & { readonly key: UserKey }

/**
 * Rows of a backend that keep the keys of calls, which are to be written somewhere else. Of calls whose keys are free it is one
 * statement.
 *
 * @throws ResultMismatchError if another task holds a key.
 */
export async function keepersOf(
  place: Place,
  alias: string,
  calls: readonly KeyedCall[],
): Promise<ReadonlyMap<Order, RawRow>> {
  const session = Session.of(place.dataSource.manager, place.dataSource)
  try {
    const taken = await takenOf(session, place.table, alias, calls)
    const held = calls.filter((call) => taken.has(keyIn(call)))
    return held.length > 0 ? await holdersOf(session, place.dialect, held) : new Map()
  } catch (error) {
    throw explained(error, place.table.name)
  }
}

/** Which of the keys the column has. */
async function takenOf(
  session: Session,
  { path }: Table,
  alias: string,
  calls: readonly KeyedCall[],
): Promise<ReadonlySet<string>> {
  const taken = new Set<string>()
  const text = `SELECT unique_key AS unique_key FROM ${path} WHERE unique_key IN (:keys) AND backend_name = :alias`
  for (const keys of portionsOf([...new Set(calls.map(keyIn))])) {
    const answer = await patiently(() => session.query(text, { keys, alias }))
    for (const row of rowsOf<Pick<RawRow, 'unique_key'>>(answer)) taken.add(row.unique_key ?? '')
  }
  return taken
}

/** The rows that have the keys, and keep them still. */
async function holdersOf(
  session: Session,
  dialect: Dialect,
  calls: readonly KeyedCall[],
): Promise<ReadonlyMap<Order, RawRow>> {
  const now = (await dialect.now(session)).getTime()
  const holders = new Map<Order, RawRow>()
  for (const call of calls) {
    const row = await patiently(() => dialect.byUniqueKey(session, keyIn(call)))
    if (!row || !keeps({ ...row, leaseEnds: null }, call.key, now)) continue
    assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, call)
    holders.set(call, row)
  }
  return holders
}

function keyIn({ key }: KeyedCall): string {
  return storedKey(key) ?? ''
}
