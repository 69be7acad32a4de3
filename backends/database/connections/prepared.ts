import { type DataSource, QueryFailedError, type QueryRunner } from 'typeorm'
import { onPostgres } from './prepared-postgres'
import { onSqlite } from './prepared-sqlite'
import type { Answer, Ask } from './statement'
import type { Statement } from './statement'

/**
 * Runs a statement prepared, by the driver itself (measured: a small INSERT takes half the time). Undefined where that
 * would pass by somebody who listens to TypeORM, or where the driver is none that is known here. On `runner`, else on
 * any connection of the pool, so outside of transactions; where there is but one connection, in the one that it has open.
 */
export async function direct(
  dataSource: DataSource,
  statement: Statement,
  runner?: QueryRunner,
): Promise<Answer | undefined> {
  const ask = isWatched(dataSource) ? undefined : await askOf(dataSource, runner)
  if (!ask) return undefined
  const { sql, parameters } = statement
  dataSource.logger.logQuery(sql, parameters)
  try {
    return await ask(statement)
  } catch (cause) {
    // By its form: in a vm it may be of another copy of Error, and its code is wanted.
    const error =
      typeof cause === 'object' && cause !== null ? (cause as Error) : new Error(String(cause))
    dataSource.logger.logQueryError(error, sql, parameters)
    throw new QueryFailedError(sql, parameters, error)
  }
}

function askOf(
  dataSource: DataSource,
  runner: QueryRunner | undefined,
): Ask | undefined | Promise<Ask | undefined> {
  if (dataSource.options.type === 'postgres') return onPostgres(dataSource, runner)
  return dataSource.options.type === 'better-sqlite3' ? onSqlite(dataSource) : undefined
}

/** Subscribers and the log of slow statements are TypeORM's own affair. */
function isWatched({ options, subscribers }: DataSource): boolean {
  return (
    options.maxQueryExecutionTime !== undefined ||
    subscribers.some((subscriber) => subscriber.beforeQuery ?? subscriber.afterQuery)
  )
}
