import type { Connection } from '../connection'
import type { RelayedJob } from './relayed-job'

/** How long in ms it is known which job stands for a row that did not become one. */
const KNOWN_MS = 24 * 60 * 60_000

/** A row does not become a job, since another one has its unique key: who asks for the row's result gets that of the other. */
export async function remember(
  { client, names }: Connection,
  { id, queue }: RelayedJob,
  holderId: string,
): Promise<void> {
  await Promise.all([
    client.zrem(names.ids, `${id}:${queue}`),
    client.set(names.own('stands', id), holderId, 'PX', KNOWN_MS),
  ])
}

/** The id of the job that stands for a row; undefined: none does. */
export async function standsFor(
  { client, names }: Connection,
  id: string,
): Promise<string | undefined> {
  return (await client.get(names.own('stands', id))) ?? undefined
}
