import type { DataSource } from 'typeorm'
import type { Ask } from './statement'

/** What of a connection of better-sqlite3 is used here. */
interface Connection {
  prepare(sql: string): Prepared
}

interface Prepared {
  /** Whether it gives rows. */
  readonly reader: boolean
  all(...parameters: unknown[]): Record<string, unknown>[]
  run(...parameters: unknown[]): { readonly changes: number }
}

/** Statements are few; only lists of queues of many lengths could make many. */
const MOST_STATEMENTS = 200

const preparedOn = new WeakMap<Connection, Map<string, Prepared>>()

/** On the one connection that such a DataSource has: TypeORM would take it all the same, and prepare as well, but by many more steps. */
export function onSqlite({ driver }: DataSource): Ask | undefined {
  const connection: unknown = 'databaseConnection' in driver ? driver.databaseConnection : undefined
  if (!isConnection(connection)) return undefined
  return ({ sql, parameters }) => {
    const statement = preparedFor(connection, sql)
    if (statement.reader) return { records: statement.all(...parameters), affected: 0 }
    return { records: [], affected: statement.run(...parameters).changes }
  }
}

function preparedFor(connection: Connection, sql: string): Prepared {
  const all = preparedOn.get(connection) ?? new Map<string, Prepared>()
  const known = all.get(sql)
  if (known) return known
  if (all.size >= MOST_STATEMENTS) all.clear()
  const prepared = connection.prepare(sql)
  preparedOn.set(connection, all.set(sql, prepared))
  return prepared
}

function isConnection(value: unknown): value is Connection {
  return (
    typeof value === 'object' &&
    value !== null &&
    'prepare' in value &&
    typeof value.prepare === 'function'
  )
}
