import { createHash } from 'node:crypto'
import { type DataSource, QueryFailedError } from 'typeorm'
import { codeOf } from './contention'
import type { Answer } from './session'
import type { Statement } from './statement'

/** What of a pool of node-postgres is used here. */
interface Pool {
  query(statement: { text: string; values: unknown[]; name?: string }): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>
}

/** A named statement is not there, is there already, or was planned for a table that has changed. */
const MISNAMED = /^(26000|42P05|0A000)$/

/** Pools behind which connections are not whose they seem, such as those of PgBouncer: names do not work there. */
const nameless = new WeakSet<DataSource>()
const names = new Map<string, string>()

/**
 * Runs a statement outside of any transaction under a name, so that PostgreSQL parses and plans it once for each
 * connection (measured: an INSERT takes half the time). Not by way of TypeORM, which knows no names; undefined where
 * that would pass by somebody who listens.
 */
export function direct(dataSource: DataSource, { sql, parameters }: Statement): Promise<Answer> | undefined {
  const pool = poolOf(dataSource)
  if (!pool || nameless.has(dataSource) || isWatched(dataSource)) return undefined
  dataSource.logger.logQuery(sql, parameters)
  return ask(pool, sql, parameters, nameOf(sql)).catch((cause: unknown) => {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    dataSource.logger.logQueryError(error, sql, parameters)
    if (!MISNAMED.test(codeOf(cause))) throw new QueryFailedError(sql, parameters, error)
    // It has not run: names are resolved first.
    nameless.add(dataSource)
    return ask(pool, sql, parameters)
  })
}

async function ask(pool: Pool, text: string, values: unknown[], name?: string): Promise<Answer> {
  const { rows, rowCount } = await pool.query({ text, values, ...(name === undefined ? {} : { name }) })
  return { records: rows, affected: rowCount ?? 0 }
}

function poolOf({ driver, options }: DataSource): Pool | undefined {
  if (options.type !== 'postgres' || !('master' in driver)) return undefined
  const pool = driver.master as Partial<Pool> | undefined
  return typeof pool?.query === 'function' ? (pool as Pool) : undefined
}

/** Subscribers and the log of slow statements are TypeORM's own affair. */
function isWatched({ options, subscribers }: DataSource): boolean {
  return options.maxQueryExecutionTime !== undefined || subscribers.some((subscriber) => subscriber.beforeQuery ?? subscriber.afterQuery)
}

function nameOf(sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `tasks_${createHash('sha1').update(sql).digest('hex').slice(0, 16)}`
  names.set(sql, name)
  return name
}
