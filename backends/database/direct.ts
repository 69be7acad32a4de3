import { createHash } from 'node:crypto'
import { type DataSource, QueryFailedError, type QueryRunner } from 'typeorm'
import { codeOf } from './contention'
import type { Answer } from './session'
import type { Statement } from './statement'

/** What of a pool, or of a connection, of node-postgres is used here. */
interface Asked {
  query(statement: { text: string; values: unknown[]; name?: string }, tell: (error: unknown, answer: { rows: Record<string, unknown>[]; rowCount: number | null }) => void): void
}

/** A named statement is not there, is there already, or was planned for a table that has changed. */
const MISNAMED = /^(26000|42P05|0A000)$/

/** Pools behind which connections are not whose they seem, such as those of PgBouncer: names do not work there. */
const nameless = new WeakSet<DataSource>()
const names = new Map<string, string>()

/**
 * Runs a statement outside of any transaction under a name, so that PostgreSQL parses and plans it once for each
 * connection (measured: an INSERT takes half the time). Not by way of TypeORM, which knows no names; undefined where
 * that would pass by somebody who listens. On `runner`, else on any connection of the pool.
 */
export async function direct(dataSource: DataSource, { sql, parameters }: Statement, runner?: QueryRunner): Promise<Answer | undefined> {
  if (dataSource.options.type !== 'postgres' || nameless.has(dataSource) || isWatched(dataSource)) return undefined
  const asked = runner ? ((await runner.connect()) as unknown) : poolOf(dataSource)
  if (!isAsked(asked)) return undefined
  dataSource.logger.logQuery(sql, parameters)
  return ask(asked, sql, parameters, nameOf(sql)).catch((cause: unknown) => {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    dataSource.logger.logQueryError(error, sql, parameters)
    if (!MISNAMED.test(codeOf(cause))) throw new QueryFailedError(sql, parameters, error)
    // It has not run: names are resolved first.
    nameless.add(dataSource)
    return ask(asked, sql, parameters)
  })
}

/** By a callback: what the promise of the driver resolves to stays in memory until a full collection (measured: all of 13 MB, in place of nothing). */
function ask(asked: Asked, text: string, values: unknown[], name?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.query({ text, values, ...(name === undefined ? {} : { name }) }, (error, answer) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as the driver made it
      if (error) reject(error)
      else resolve({ records: answer.rows, affected: answer.rowCount ?? 0 })
    })
  })
}

function poolOf({ driver }: DataSource): unknown {
  return 'master' in driver ? driver.master : undefined
}

function isAsked(asked: unknown): asked is Asked {
  return typeof asked === 'object' && asked !== null && 'query' in asked && typeof asked.query === 'function'
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
