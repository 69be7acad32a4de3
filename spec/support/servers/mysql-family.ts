import type { RowDataPacket } from 'mysql2/promise'
import { user } from './server'

/** Gives the specs' user every right; a server of this family runs it at its start. */
export const initSql = ['localhost', '%']
  .map((host) =>
    [
      `CREATE USER IF NOT EXISTS '${user.username}'@'${host}' IDENTIFIED BY '${user.password}';`,
      `GRANT ALL ON *.* TO '${user.username}'@'${host}' WITH GRANT OPTION;`,
    ].join('\n'),
  )
  .join('\n')

export interface Login {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
}

/** Asks the throw-away server on this port. */
export async function query(port: number, sql: string): Promise<Record<string, unknown>[]> {
  return await queryAt({ host: '127.0.0.1', port, ...user }, sql)
}

export async function queryAt(
  { host, port, username, password }: Login,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection({
    host,
    port,
    user: username,
    password,
    connectTimeout: 5_000,
  })
  try {
    // A spec that leaves a transaction open must not hold up the drop of its database.
    await connection.query('SET lock_wait_timeout = 2')
    const [rows] = await connection.query<RowDataPacket[]>(sql)
    return rows
  } finally {
    await connection.end()
  }
}

export async function version(port: number): Promise<string> {
  return await versionAt({ host: '127.0.0.1', port, ...user })
}

export async function versionAt(login: Login): Promise<string> {
  return String((await queryAt(login, 'SELECT VERSION() AS version'))[0]?.['version']).replace(
    /-.*/,
    '',
  )
}

export function create(database: string): string {
  return `CREATE DATABASE \`${database}\` CHARACTER SET utf8mb4`
}

export function drop(database: string): string {
  return `DROP DATABASE IF EXISTS \`${database}\``
}
