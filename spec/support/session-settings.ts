import * as mysql2 from 'mysql2'
import type { DataSourceOptions } from 'typeorm'

interface Connection {
  query(sql: string, done: () => void): unknown
}
interface Pool {
  on(event: 'connection', listener: (connection: Connection) => void): unknown
}

/**
 * Options by which each new connection of MySQL or MariaDB runs these statements first, those of a worker's own DataSource
 * too: as if the server, or the account, were set so. The server, which other specs use, stays as it is.
 */
export function withSession(
  statements: readonly string[] | (() => readonly string[]),
): Partial<DataSourceOptions> {
  const createPool = (...given: unknown[]): Pool => {
    const pool = Reflect.apply(mysql2.createPool, undefined, given) as unknown as Pool
    pool.on('connection', (connection) => {
      const asked = typeof statements === 'function' ? statements() : statements
      for (const sql of asked) connection.query(sql, () => {})
    })
    return pool
  }
  return { driver: { ...mysql2, createPool } } as Partial<DataSourceOptions>
}
