import type { DataSource } from 'typeorm'
import { InvalidTaskError, NotSupportedError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'
import type { ClientKind, ForeignClient } from '../profiles/clients'
import { profileOf } from '../profiles/profile-of'

/** @throws InvalidTaskError for what is no client of the DataSource's driver; NotSupportedError for other drivers. */
export function foreignClient(dataSource: DataSource, client: unknown): ForeignClient {
  const kind = kindOf(dataSource)
  const { driver, takeOne, begin } = kind
  const expected = `managerOn: expected a client of ${driver} that is in a transaction`
  if (typeof client !== 'object' || client === null) {
    // Knex's trx and the sql of postgres.js are functions.
    const got = typeof client === 'function' ? 'a function' : shown(client)
    throw new InvalidTaskError(`${expected}, got ${got}.`, SOURCES)
  }
  if (client instanceof Promise || ('then' in client && typeof client.then === 'function'))
    throw new InvalidTaskError(`${expected}, got a promise.`, 'Await it first.')
  if (kind.isPool(client))
    throw new InvalidTaskError(
      `${expected}, got a pool, which runs each statement on any of its connections.`,
      `Take one of them, \`${takeOne}\`, and call \`${begin}\` on it.`,
    )
  const found = kind.clientOf(client)
  if (!found) throw new InvalidTaskError(`${expected}, got ${shown(client)}.`, SOURCES)
  return found
}

const SOURCES =
  'Drizzle: pass the client that `drizzle({ client })` was given. Knex: `await trx.client.acquireConnection()`. A manager of TypeORM is passed to using({ manager }) itself.'

/** What is known of the clients of the DataSource's driver. @throws NotSupportedError if nothing is. */
export function kindOf({ options: { type } }: DataSource): ClientKind {
  const { clients } = profileOf(type)
  if (clients) return clients
  throw new NotSupportedError(
    `managerOn does not know the clients of a DataSource of type "${type}".`,
    'Run the INSERT of docs/guide/other-languages.md in that transaction.',
  )
}

/** The error for a client that is not in a transaction. */
export function notOpen(dataSource: DataSource): InvalidTaskError {
  return new InvalidTaskError(
    'managerOn: the client has no transaction open: none was begun, or it is over.',
    `Call \`${kindOf(dataSource).begin}\` before, and await every enqueue before the end of the transaction.`,
  )
}
