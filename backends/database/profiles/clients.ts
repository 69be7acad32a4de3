import { InvalidTaskError } from '../../../lib/errors/errors'
import { CLIENT_QUESTION, mysqlSettings } from './mysql-settings'
import { postgresSettings } from './postgres-settings'
import type { SettingRule, SettingValues } from './settings'

/** Runs one statement on the client, as a query runner of TypeORM gives its answer. */
export type AskClient = (sql: string, values?: unknown[]) => Promise<unknown>

/** What statements on a client reach, and what becomes of their texts. */
export interface ClientStanding {
  /** The name of the database; of SQLite its file, '' for one in memory, which no other client reaches. */
  readonly database: unknown
  /** The schema in which it finds the table, or the database where there are no schemas; undefined: none, or not asked. */
  readonly home?: unknown
  readonly settings?: SettingValues
}

/** A driver's client whose transaction belongs to other code. */
export interface ForeignClient {
  /** The object that TypeORM's query runner calls. */
  readonly connection: object
  /** Whether a transaction is open, as far as the client itself knows; undefined: only the server knows. */
  isOpen(): boolean | undefined
  /** The same, asked of the server. Absent: there are savepoints in transactions only. */
  asksIsOpen?(ask: AskClient): Promise<boolean>
}

/** What is known of the clients of one driver. */
export interface ClientKind {
  /** As errors name it. */
  readonly driver: string
  /** Takes one client of a pool. */
  readonly takeOne: string
  /** Begins a transaction on a client. */
  readonly begin: string
  /** Its session's settings that matter to an enqueue. Absent: there are none. */
  readonly rules?: readonly SettingRule[]
  /** Where the DataSource found its tables when it connected, as `home` names it, in case the table is there. */
  homeOf?(driver: object): unknown
  /** In one statement. `path`: the table as statements name it. */
  standingOf(ask: AskClient, path: string): Promise<ClientStanding>
  isPool(client: object): boolean
  /** Undefined for an object of another kind. */
  clientOf(client: object): ForeignClient | undefined
}

/** What is used here of a client of node-postgres. `release` is there, and new, each time a pool gives the client. */
interface Pg {
  readonly processID?: number | null
  readonly release?: unknown
  query(...values: unknown[]): unknown
  /** Not in older versions. `I`: no transaction is open. */
  getTransactionStatus?(): string | null
}

const PG_QUESTION = `SELECT current_database() AS name, current_setting('client_encoding') AS client_encoding,
  (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)) AS home`

export const pgClients: ClientKind = {
  driver: 'node-postgres ("pg")',
  takeOne: 'const client = await pool.connect()',
  begin: "await client.query('BEGIN')",
  rules: postgresSettings.rules,
  homeOf: (driver) => ('searchSchema' in driver ? driver.searchSchema : undefined),
  async standingOf(ask, path) {
    const { name, home, client_encoding } = firstOf(await ask(PG_QUESTION, [path]))
    return { database: name, home, settings: valuesOf({ client_encoding }) }
  },
  isPool: (client) => 'totalCount' in client && 'idleCount' in client,
  clientOf(client) {
    if (!isPg(client)) return undefined
    if (client.processID === null)
      throw new InvalidTaskError(
        'managerOn: the client is not connected.',
        'Call `await client.connect()` first.',
      )
    const { release } = client
    return {
      connection: client,
      isOpen() {
        if (client.release !== release) return false
        const status = client.getTransactionStatus?.()
        return status ? status !== 'I' : undefined
      },
    }
  },
}

function isPg(client: object): client is Pg {
  return (
    'query' in client &&
    typeof client.query === 'function' &&
    ('processID' in client || 'getTransactionStatus' in client)
  )
}

/** What is used here of a connection of mysql2. */
interface Mysql {
  readonly threadId: number | null
  query(...values: unknown[]): unknown
}

/** Flags in each answer of MySQL and MariaDB to a statement without rows. */
const IN_TRANSACTION = 1
const AUTOCOMMIT = 2

export const mysql2Clients: ClientKind = {
  driver: 'mysql2',
  takeOne: 'const connection = await pool.getConnection()',
  begin: 'await connection.beginTransaction()',
  rules: mysqlSettings.rules,
  homeOf: (driver) => ('database' in driver ? driver.database : undefined),
  async standingOf(ask) {
    const { name, ...settings } = firstOf(await ask(CLIENT_QUESTION))
    return { database: name, home: name, settings: valuesOf(settings) }
  },
  isPool: (client) => 'getConnection' in client,
  clientOf(client) {
    // TypeORM uses the connection with callbacks, which the one with promises holds.
    const inner = 'connection' in client ? client.connection : client
    if (!isMysql(inner)) return undefined
    return {
      connection: plainly(inner),
      isOpen: () => undefined,
      async asksIsOpen(ask) {
        const answer = (await ask('DO 0')) as { serverStatus?: number }
        const { serverStatus = AUTOCOMMIT } = answer
        // Without autocommit the first statement begins a transaction.
        return (serverStatus & IN_TRANSACTION) !== 0 || (serverStatus & AUTOCOMMIT) === 0
      },
    }
  },
}

/**
 * The connection as TypeORM calls it, with callbacks or, from its version 1 on, with promises. Answers have the form that
 * TypeORM reads, whatever form the connection's own options give them.
 */
function plainly(connection: Mysql): object {
  const query = (asked: string | object, values: unknown, ...done: unknown[]): unknown =>
    connection.query(
      { ...(typeof asked === 'string' ? { sql: asked } : asked), values, ...PLAINLY },
      ...done,
    )
  return {
    query,
    promise: () => ({
      query: (asked: string | object, values: unknown) =>
        new Promise((resolve, reject) => {
          query(asked, values, (error: unknown, ...answer: unknown[]) =>
            // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as the driver made it
            error ? reject(error) : resolve(answer),
          )
        }),
    }),
  }
}

const PLAINLY = { rowsAsArray: false, nestTables: false, typeCast: true }

function isMysql(client: unknown): client is Mysql {
  return (
    typeof client === 'object' &&
    client !== null &&
    'threadId' in client &&
    'query' in client &&
    typeof client.query === 'function'
  )
}

/** What is used here of a database of better-sqlite3. */
interface Sqlite {
  readonly inTransaction: boolean
  readonly open: boolean
  prepare(sql: string): unknown
}

export const betterSqlite3Clients: ClientKind = {
  driver: 'better-sqlite3',
  takeOne: '',
  begin: "database.exec('BEGIN IMMEDIATE')",
  async standingOf(ask) {
    const all = (await ask('PRAGMA database_list')) as { name: string; file: string }[]
    return { database: all.find(({ name }) => name === 'main')?.file }
  },
  isPool: () => false,
  clientOf(client) {
    if (!isSqlite(client)) return undefined
    if (!client.open)
      throw new InvalidTaskError(
        'managerOn: the database of better-sqlite3 is closed.',
        'Use it before `database.close()`.',
      )
    return {
      connection: client,
      isOpen: () => client.inTransaction,
    }
  },
}

function isSqlite(client: object): client is Sqlite {
  return (
    'prepare' in client &&
    'inTransaction' in client &&
    typeof client.inTransaction === 'boolean' &&
    'open' in client
  )
}

function firstOf(rows: unknown): Record<string, unknown> {
  const [row] = Array.isArray(rows) ? (rows as unknown[]) : []
  return typeof row === 'object' && row !== null ? { ...row } : {}
}

function valuesOf(settings: Record<string, unknown>): SettingValues {
  return new Map(Object.entries(settings).map(([name, value]) => [name, String(value)]))
}
