import { betterSqlite3Clients } from './clients'
import { type Profile, SAVEPOINT } from './profile'

/** The drivers of SQLite of which no more is known than that. */
export const sqlite: Profile = {
  placeholder: 'question',
  // The driver would block the whole process while it waits for a lock; `patiently` waits instead.
  workerOptions: { timeout: 0 },
  isSoleConnection: true,
  livesInMemory: (database) => database === ':memory:' || database === '',
  wakesBy: null,
  mark: SAVEPOINT,
  errors: {
    noTable: /no such table/,
    noColumn: /no such column|has no column named/,
    refused: /^(SQLITE_READONLY|SQLITE_CORRUPT|SQLITE_NOTADB)/,
    misnamed: /^SQLITE_CANTOPEN/,
    taken: /^(SQLITE_CONSTRAINT_PRIMARYKEY|SQLITE_CONSTRAINT_UNIQUE) |UNIQUE constraint failed/,
    noSavepoint: /no such savepoint/,
    contention: /^(SQLITE_BUSY|SQLITE_LOCKED)/,
    ailing: /^SQLITE_(AUTH|FULL|INTERNAL|INTERRUPT|IOERR|MISUSE|NOLFS|NOMEM|PERM|PROTOCOL|SCHEMA)/,
  },
  server: {
    question: `SELECT sqlite_version() AS version, 'UTF8' AS encoding, strftime('%Y-%m-%d %H:%M:%f', 'now') AS now`,
    productOf: () => ({ name: 'SQLite', oldest: '3.35' }),
  },
  mayBeMariaDb: false,
  exactly: (column) => `${column} COLLATE BINARY`,
  readsLocalTime: false,
  growth: {
    rows: (path) => ({
      sql: `SELECT max(rowid) - min(rowid) + 1 AS n FROM ${path}`,
      values: [],
    }),
    daysAgo: (days) => `datetime('now', '-${days} days')`,
  },
}

export const betterSqlite3: Profile = {
  ...sqlite,
  prepares: 'compiled',
  wakesBy: 'files',
  clients: betterSqlite3Clients,
}

/** A file is written as a whole, from memory. */
export const sqljs: Profile = { ...sqlite, livesInMemory: () => true }
