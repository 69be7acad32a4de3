import type { Order } from '../../../lib/order'
import type { RawRow } from '../../database/row'
import { storedKey } from '../../keys'
import type { Connection } from '../connection'
import { standingFor } from '../enqueueing/holder'
import { keyOf } from '../unique-keys'
import type { RelayedJob } from './relayed-job'

/** How long in ms it is known which job stands for a row that did not become one: longer than results are kept, mostly. */
const KNOWN_MS = 366 * 24 * 60 * 60_000

/** A row does not become a job, since another one has its unique key: who asks for the row's result gets that of the other. */
export async function remember(
  { client, names }: Connection,
  { id }: RelayedJob,
  holderId: string,
): Promise<void> {
  await client.set(names.own('stands', id), holderId, 'PX', KNOWN_MS)
}

/** The id of the job that stands for a row; undefined: none does. */
export async function standsFor(
  { client, names }: Connection,
  id: string,
): Promise<string | undefined> {
  return (await client.get(names.own('stands', id))) ?? undefined
}

/** The row of the job that keeps the key of a call; undefined: none does. */
export async function standingIn(
  connection: Connection,
  order: Order,
  alias: string,
): Promise<RawRow | undefined> {
  const key = storedKey(order.key)
  if (key === null) return undefined
  const holderId = await connection.client.get(keyOf(connection, key))
  if (holderId === null) return undefined
  return standingFor(connection, { order, key }, holderId, alias)
}
