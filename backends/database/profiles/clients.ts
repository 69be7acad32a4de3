import { InvalidTaskError } from '../../../lib/errors/errors'

/** Runs one statement on the client, as a query runner of TypeORM gives its answer. */
export type AskClient = (sql: string) => Promise<unknown>

/** A driver's client whose transaction belongs to other code. */
export interface ForeignClient {
  /** The object that TypeORM's query runner calls. */
  readonly connection: object
  /** Whether a transaction is open, as far as the client itself knows; undefined: only the server knows. */
  isOpen(): boolean | undefined
  /** The same, asked of the server. Absent: there are savepoints in transactions only. */
  asksIsOpen?(ask: AskClient): Promise<boolean>
  /** The database that statements on it reach; '' for one in memory, which no other client reaches. */
  databaseOf(ask: AskClient): Promise<unknown>
}

/** What is known of the clients of one driver. */
export interface ClientKind {
  /** As errors name it. */
  readonly driver: string
  /** Takes one client of a pool. */
  readonly takeOne: string
  /** Begins a transaction on a client. */
  readonly begin: string
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

export const pgClients: ClientKind = {
  driver: 'node-postgres ("pg")',
  takeOne: 'const client = await pool.connect()',
  begin: "await client.query('BEGIN')",
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
      databaseOf: async (ask) => nameIn(await ask('SELECT current_database() AS name')),
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
  isPool: (client) => 'getConnection' in client,
  clientOf(client) {
    // TypeORM uses the connection with callbacks, which the one with promises holds.
    const inner = 'connection' in client ? client.connection : client
    if (!isMysql(inner)) return undefined
    return {
      connection: inner,
      isOpen: () => undefined,
      async asksIsOpen(ask) {
        const answer = (await ask('DO 0')) as { serverStatus?: number }
        const { serverStatus = AUTOCOMMIT } = answer
        // Without autocommit the first statement begins a transaction.
        return (serverStatus & IN_TRANSACTION) !== 0 || (serverStatus & AUTOCOMMIT) === 0
      },
      databaseOf: async (ask) => nameIn(await ask('SELECT DATABASE() AS name')),
    }
  },
}

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
      async databaseOf(ask) {
        const all = (await ask('PRAGMA database_list')) as { name: string; file: string }[]
        return all.find(({ name }) => name === 'main')?.file
      },
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

function nameIn(rows: unknown): unknown {
  const [row] = Array.isArray(rows) ? (rows as unknown[]) : []
  return typeof row === 'object' && row !== null && 'name' in row ? row.name : undefined
}
