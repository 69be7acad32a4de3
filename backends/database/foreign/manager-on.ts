import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { InvalidTaskError } from '../../../lib/errors/errors'
import { isMarkGone } from '../connections/database-errors'
import type { AskClient, ForeignClient } from '../profiles/clients'
import { SAVEPOINT } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import { setLentPath } from '../connections/lent-path'
import { assertReady, pathOf } from '../table'
import { foreignClient, notOpen } from './client'
import { homeOn } from './standing'

/**
 * The depth of nested transactions at which the manager begins. TypeORM makes the names of savepoints of it, and the owner of the
 * transaction may be TypeORM too: MySQL would replace a savepoint of the same name.
 */
const FIRST_DEPTH = 1_000

/**
 * A manager in the transaction that other code, such as Drizzle, Knex or the driver itself, has open on `client`:
 * `using({ manager: managerOn(dataSource, client) })` enqueues in it.
 *
 * It begins, commits and rolls back nothing but savepoints, and does not release the client. Use it in that transaction only:
 * make another one for the next transaction.
 *
 * @param dataSource the DataSource of TASKS: PostgreSQL, MySQL, MariaDB, or SQLite with better-sqlite3.
 * @param client what is in the transaction: a client of node-postgres, a connection of mysql2 (with promises or callbacks), a
 * database of better-sqlite3; no pool.
 * @throws InvalidTaskError if it is no such client, or not connected, or has no transaction open; where only the server knows the
 * last, and if the client reaches another database or schema, or has settings that change texts, at its first statement.
 * @throws NotSupportedError for a DataSource of another type.
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity.
 */
export function managerOn(dataSource: DataSource, client: object): EntityManager {
  assertReady(dataSource)
  const foreign = foreignClient(dataSource, client)
  if (foreign.isOpen() === false) throw notOpen(dataSource)
  const runner = newRunner(dataSource)
  Object.assign(runner, { isTransactionActive: true, transactionDepth: FIRST_DEPTH })
  lend(runner, foreign)
  keepOpen(runner)
  return runner.manager
}

function newRunner(dataSource: DataSource): QueryRunner {
  const runner = dataSource.createQueryRunner()
  if (!profileOf(dataSource.options.type).isSoleConnection) return runner
  // There TypeORM gives all callers the same runner, which is the app's.
  const Runner = runner.constructor as new (driver: DataSource['driver']) => QueryRunner
  const own = new Runner(dataSource.driver)
  return Object.assign(own, { manager: dataSource.createEntityManager(own) })
}

/** Has the runner use the client, and look before each statement whether the transaction is still open. */
function lend(runner: QueryRunner, foreign: ForeignClient): void {
  const { connection: dataSource } = runner
  const query = runner.query.bind(runner)
  const ask: AskClient = (sql, values) => query(sql, values)
  let home: Promise<string | undefined> | undefined
  const assertedHome = (): Promise<string | undefined> =>
    (home ??= homeOn(dataSource, foreign, ask).catch((error: unknown) => {
      home = undefined
      throw error
    }))
  const assertUsable = async (): Promise<void> => {
    await assertedHome()
    const isOpen = foreign.isOpen() ?? (await (foreign.asksIsOpen ?? hasSavepoints)(ask))
    if (!isOpen) throw notOpen(dataSource)
  }
  Object.assign(runner, {
    connect: async () => foreign.connection,
    query: async (...given: Parameters<typeof query>) => {
      await assertUsable()
      return query(...given)
    },
  })
  setLentPath(runner, async () => pathOf(dataSource, await assertedHome()))
}

/** The transaction and the client belong to others: their end, and the release, are refused. */
function keepOpen(runner: QueryRunner): void {
  const { commitTransaction, rollbackTransaction } = runner
  const inner = (end: () => Promise<void>) => async (): Promise<void> => {
    const { transactionDepth } = runner as unknown as { transactionDepth: number }
    if (transactionDepth <= FIRST_DEPTH)
      throw new InvalidTaskError(
        'The transaction of a manager of managerOn belongs to the code that began it.',
        'Commit it, or roll it back, where it was begun.',
      )
    await end.call(runner)
  }
  Object.assign(runner, {
    commitTransaction: inner(commitTransaction),
    rollbackTransaction: inner(rollbackTransaction),
    release: async () => void Object.assign(runner, { isReleased: true }),
  })
}

/** Where savepoints exist in transactions only. */
async function hasSavepoints(ask: AskClient): Promise<boolean> {
  try {
    await ask(SAVEPOINT.set)
    await ask(SAVEPOINT.remove)
    return true
  } catch (error) {
    if (isMarkGone(error)) return false
    throw error
  }
}
