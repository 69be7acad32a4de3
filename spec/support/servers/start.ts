import { startMariaDb } from './mariadb'
import { startMySql } from './mysql'
import { startPostgres } from './postgres'
import type { Server } from './server'
import type { DatabaseName } from './wanted'

/** The databases that have a server. */
export const serverNames = [
  'postgres',
  'mariadb',
  'mysql',
] as const satisfies readonly DatabaseName[]
export type ServerName = (typeof serverNames)[number]

const starters = { postgres: startPostgres, mariadb: startMariaDb, mysql: startMySql }

/**
 * Starts a server of the spec's own, which it may kill; its data is in `parent`, which is the folder for temporary ones unless
 * told. `settings`: more of the server's own, as its command line takes them.
 */
export async function startServer(
  name: ServerName,
  parent?: string,
  settings: readonly string[] = [],
): Promise<Server> {
  return await starters[name](parent, settings)
}
