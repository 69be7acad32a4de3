import Database from 'better-sqlite3'
import { createConnection, createPool } from 'mysql2/promise'
import { Client, Pool } from 'pg'
import type { DataSource } from 'typeorm'
import { configureTasks } from 'typeorm-tasks'
import type { FreshOptions } from './databases'

/** Begins a transaction on each database. */
export const BEGIN = 'BEGIN'

/** A client of the driver alone, which knows nothing of TypeORM. */
export interface Foreign {
  readonly client: object
  run(sql: string): Promise<unknown>
  end(): Promise<unknown>
}

export async function clientOn(options: FreshOptions): Promise<Foreign> {
  if (options.type === 'better-sqlite3') {
    const client = new Database(String(options.database))
    return { client, run: async (sql) => client.exec(sql), end: async () => client.close() }
  }
  const { host, port, username: user, password, database } = options
  const address = { host, port, user, password, database } as { host: string }
  if (options.type === 'postgres') {
    const client = new Client(address)
    await client.connect()
    return { client, run: (sql) => client.query(sql), end: () => client.end() }
  }
  const client = await createConnection(address)
  return { client, run: (sql) => client.query(sql), end: () => client.end() }
}

/** A pool, which has opened no connection; undefined where there are none. */
export function poolOn({
  type,
}: FreshOptions): { pool: object; end(): Promise<unknown> } | undefined {
  if (type === 'better-sqlite3') return undefined
  const pool = type === 'postgres' ? new Pool() : createPool({ host: 'localhost' })
  return { pool, end: () => pool.end() }
}

/** A backend on this DataSource, for all queues. */
export function configure(dataSource: DataSource): void {
  const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
  configureTasks({ default: { BACKEND, QUEUES: [], OPTIONS: { dataSource } } })
}
