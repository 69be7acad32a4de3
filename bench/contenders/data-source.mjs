import { createRequire } from 'node:module'

/** The options of a DataSource for a database of the servers here. */
export function optionsOf({ type, host, port, user: username, password, database }) {
  if (type === 'better-sqlite3')
    return {
      type,
      database,
      enableWAL: true,
      driver: createRequire(import.meta.url)('better-sqlite3'),
    }
  const pool =
    type === 'postgres' ? { poolSize: 20 } : { poolSize: 20, extra: { connectionLimit: 20 } }
  return { type, host, port, username, password, database, ...pool }
}
