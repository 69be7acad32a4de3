import type { ClientKind } from './clients'
import type { Settings } from './settings'

/** How a driver marks parameters: `$1` or `?`. */
export type Placeholder = 'dollar' | 'question'

/**
 * What tells one database from another outside of its statements. `dialects/` holds the SQL of the tasks table; all else
 * that depends on the database stands here, so that no other file asks which one it is.
 */
export interface Profile {
  readonly placeholder: Placeholder
  /**
   * How its driver prepares statements, where that is known and used past TypeORM: `named` is node-postgres with a name
   * for each statement, `compiled` better-sqlite3 with an object for each.
   */
  readonly prepares?: 'named' | 'compiled'
  /** Its driver puts values into the text of a statement, so a value that is escaped for another session would be read as SQL. */
  readonly bindsInText?: true
  /** The driver's option for the number of connections in a pool. */
  readonly poolSize?: string
  /** Set where connections of the driver can be told apart and ended one by one. */
  readonly pool?: Pool
  /** Runs first on each new connection of a worker's own pool. */
  readonly setUp?: string
  /** More options of the DataSource that a worker makes for itself. */
  readonly workerOptions?: object
  /** A DataSource is one connection, which all of its users share. */
  readonly isSoleConnection: boolean
  /** Whether such a `database` option means a database in memory, which cannot be opened twice. */
  livesInMemory(database: unknown): boolean
  /**
   * The isolation level for a transactional task; absent: the database's default. Renewals change the row while its task
   * runs; at a stricter level than READ COMMITTED the completion would fail for that.
   */
  readonly isolation?: 'READ COMMITTED'
  /** Other processes can be notified, by LISTEN and NOTIFY. */
  readonly listens: boolean
  /** Logged when a worker starts, where one might expect LISTEN and there is none. */
  readonly whyDeaf?: string
  /** Marks a transaction, so that one which the app's own SQL has ended can be told. Absent: the database has no such savepoints. */
  readonly mark?: Mark
  /** Clients of its driver, for transactions of other code. Absent: `managerOn` does not know them. */
  readonly clients?: ClientKind
  /** Errors of its driver by what they mean. */
  readonly errors: Errors
  /** Absent: version, encoding and clock are not checked. */
  readonly server?: Server
  /** MariaDB is served under the same types, so the server must be asked which of both it is. */
  readonly mayBeMariaDb: boolean
  /**
   * An expression for a column of text that compares exactly, whatever its collation. Absent: as the column does it.
   */
  readonly exactly?: (column: string) => string
  /**
   * Asks for the collation of the column `unique_key` as `inexact`, and gives no row if it compares exactly. Absent: not asked.
   */
  inexactKey?(path: string, name: string): Question
  /** Asks for the columns, as `narrow`, that do not hold all of Unicode, and their `charset`. Absent: not asked. */
  narrowColumns?(path: string, name: string): Question
  /** The driver reads datetimes in the process's time zone unless told otherwise. */
  readonly readsLocalTime: boolean
  /** Absent: growth of the table is not checked. */
  readonly growth?: Growth
}

/** A savepoint: it ends with its transaction, and removing it fails then. */
export interface Mark {
  readonly set: string
  readonly remove: string
}

export const SAVEPOINT: Mark = {
  set: 'SAVEPOINT typeorm_tasks',
  remove: 'RELEASE SAVEPOINT typeorm_tasks',
}

/** Options of a driver's pool. */
export interface Pool {
  /** The DataSource option by which an app limits the time to connect; ours is left out where it is set. */
  readonly appTimeout: string
  /** The driver's own name for that option. */
  readonly timeout: string
  /** Makes the driver notice connections that died while idle; `ms` is the initial delay. */
  keepAlive(ms: number): object
}

export type Trouble =
  /** The table, or a column of it, does not exist. */
  | 'noTable'
  | 'noColumn'
  /** Permanent: missing privilege, syntax error, read-only or damaged file. Not retried. */
  | 'refused'
  /** Permanent: a setting of the server forbids such a statement. */
  | 'misset'
  /** Permanent: no such database, user or file, or a wrong password. */
  | 'misnamed'
  /** Not there, not there yet, or full. */
  | 'away'
  /** A server that others write to: it was the primary before a failover, or will be. */
  | 'readOnly'
  /** The driver's own timeout for a query, if the app has set one; the statement may still run on the connection. */
  | 'timedOut'
  /** A row with the same id or unique value exists. */
  | 'taken'
  /** The encoding of the database has no such character. */
  | 'unfit'
  /** The statement is larger than the server takes. */
  | 'tooLarge'
  /** A savepoint is not there, or no transaction. */
  | 'noSavepoint'
  /** Others were in the way: the same statement may succeed a moment later. */
  | 'contention'
  /** The same: it waited too long for a row that somebody else has locked. */
  | 'locked'
  /** The server ended the statement, since it took too long or somebody asked for it. */
  | 'tooSlow'
  /** The server, its disk, its memory or the connection is in trouble, whatever the statement says. */
  | 'ailing'

/** Each is tested against `<code> <message>` of the driver's error; the code may be empty. */
export type Errors = Readonly<Partial<Record<Trouble, RegExp>>>

export interface Server {
  /** Gives one row: `version`, `encoding`, and `now` as a text in UTC. */
  readonly question: string
  productOf(version: string): Product
  readonly settings?: Settings
}

export interface Question {
  readonly sql: string
  readonly values: unknown[]
}

/** A product, and its first version with everything the statements use: SKIP LOCKED, JSON as rows, RETURNING. */
export interface Product {
  readonly name: string
  readonly oldest: string
}

export interface Growth {
  /** Who removes old versions of rows, where that may lag behind: autovacuum, or InnoDB's purge. */
  readonly cleanedBy?: 'vacuum' | 'purge'
  /** Estimates the number of rows, as `n`: counting takes as long as reading the table. */
  rows(path: string, name: string): Question
  /** An expression for the instant so many days ago. */
  daysAgo(days: number): string
}
