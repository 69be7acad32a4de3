import { createHash } from 'node:crypto'
import { type DataSource, QueryFailedError, type QueryRunner } from 'typeorm'
import type { Profile } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import { codeOf } from './database-errors'
import type { Answer, Statement } from './statement'

/** Runs a statement by the driver itself. */
type Ask = (statement: Statement) => Answer | Promise<Answer>

/** How the driver of one DataSource is asked. */
export interface Driver {
  readonly placeholder: Profile['placeholder']
  readonly prepares: Profile['prepares']
  readonly bindsInText: boolean
  /** Behind a pooler such as PgBouncer a connection is another one at each use: names of statements do not work there. */
  isNameless: boolean
}

const drivers = new WeakMap<DataSource, Driver>()

export function driverOf(dataSource: DataSource): Driver {
  const known = drivers.get(dataSource)
  if (known) return known
  const { placeholder, prepares, bindsInText = false } = profileOf(dataSource.options.type)
  const driver: Driver = { placeholder, prepares, bindsInText, isNameless: false }
  drivers.set(dataSource, driver)
  return driver
}

/**
 * Runs a statement prepared, by the driver itself (measured: a small INSERT takes half the time). Undefined if the driver
 * is not one of those known here, or if somebody listens to TypeORM's queries, who would miss it. Runs on `runner`, else
 * on any connection of the pool, so outside of transactions; where a DataSource is one connection, on that one.
 */
export async function prepared(
  dataSource: DataSource,
  driver: Driver,
  statement: Statement,
  runner?: QueryRunner,
): Promise<Answer | undefined> {
  const ask = isWatched(dataSource) ? undefined : await askOf(dataSource, driver, runner)
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

/** Subscribers and the log of slow statements need TypeORM's own way. */
function isWatched({ options, subscribers }: DataSource): boolean {
  return (
    options.maxQueryExecutionTime !== undefined ||
    subscribers.some((subscriber) => subscriber.beforeQuery ?? subscriber.afterQuery)
  )
}

function askOf(
  dataSource: DataSource,
  driver: Driver,
  runner: QueryRunner | undefined,
): Ask | undefined | Promise<Ask | undefined> {
  if (driver.prepares === 'compiled') return compiledAsk(dataSource)
  if (driver.prepares !== 'named' || driver.isNameless) return undefined
  return runner
    ? runner.connect().then((connection: unknown) => namedAsk(driver, connection))
    : namedAsk(driver, poolOf(dataSource))
}

/** What is used here of a pool, or of a connection, of node-postgres. */
interface Pg {
  query(
    statement: { text: string; values: unknown[]; name?: string },
    done: (
      error: unknown,
      answer: { rows: Record<string, unknown>[]; rowCount: number | null },
    ) => void,
  ): void
}

/** A named statement does not exist, exists already, or was planned for a table that has changed since. */
const MISNAMED = /^(26000|42P05|0A000)$/

const names = new Map<string, string>()

/** With a name, so that PostgreSQL parses and plans a statement once for each connection; TypeORM knows no names. */
function namedAsk(driver: Driver, pg: unknown): Ask | undefined {
  if (!isPg(pg)) return undefined
  return ({ sql, parameters }) =>
    askPg(pg, sql, parameters, nameOf(sql)).catch((error: unknown) => {
      if (!MISNAMED.test(codeOf(error))) throw error
      // The statement has not run: names are resolved first.
      driver.isNameless = true
      return askPg(pg, sql, parameters)
    })
}

/** With a callback: what the driver's promise resolves to stays in memory until a full collection (measured: all of 13 MB, instead of nothing). */
function askPg(pg: Pg, text: string, values: unknown[], name?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    pg.query(name === undefined ? { text, values } : { text, values, name }, (error, answer) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as the driver made it
      if (error) reject(error)
      else resolve({ records: answer.rows, affected: answer.rowCount ?? 0 })
    })
  })
}

function poolOf({ driver }: DataSource): unknown {
  return 'master' in driver ? driver.master : undefined
}

function isPg(value: unknown): value is Pg {
  return (
    typeof value === 'object' &&
    value !== null &&
    'query' in value &&
    typeof value.query === 'function'
  )
}

function nameOf(sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `tasks_${createHash('sha1').update(sql).digest('hex').slice(0, 16)}`
  names.set(sql, name)
  return name
}

/** What is used here of a connection of better-sqlite3. */
interface SqliteConnection {
  prepare(sql: string): Compiled
}

interface Compiled {
  /** Whether it gives rows. */
  readonly reader: boolean
  all(...parameters: unknown[]): Record<string, unknown>[]
  run(...parameters: unknown[]): { readonly changes: number }
}

/** Statements are few; only lists of queues of many lengths could make many. */
const MOST_COMPILED = 200

const compiledOn = new WeakMap<SqliteConnection, Map<string, Compiled>>()

/** On the one connection of the DataSource: TypeORM would use the same one, and prepare as well, but in many more steps. */
function compiledAsk({ driver }: DataSource): Ask | undefined {
  const connection: unknown = 'databaseConnection' in driver ? driver.databaseConnection : undefined
  if (!isSqlite(connection)) return undefined
  return ({ sql, parameters }) => {
    const statement = compiledFor(connection, sql)
    if (statement.reader) return { records: statement.all(...parameters), affected: 0 }
    return { records: [], affected: statement.run(...parameters).changes }
  }
}

function compiledFor(connection: SqliteConnection, sql: string): Compiled {
  const all = compiledOn.get(connection) ?? new Map<string, Compiled>()
  const known = all.get(sql)
  if (known) return known
  if (all.size >= MOST_COMPILED) all.clear()
  const compiled = connection.prepare(sql)
  compiledOn.set(connection, all.set(sql, compiled))
  return compiled
}

function isSqlite(value: unknown): value is SqliteConnection {
  return (
    typeof value === 'object' &&
    value !== null &&
    'prepare' in value &&
    typeof value.prepare === 'function'
  )
}
