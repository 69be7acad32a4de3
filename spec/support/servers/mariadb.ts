import type { RowDataPacket } from 'mysql2/promise'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderWith, install, searchPath } from './binaries'
import { Server, user, type Recipe } from './server'

/** Starts a MariaDB of the spec's own; its data is in `parent`, which is the folder for temporary ones unless told. */
export async function startMariaDb(parent?: string): Promise<Server> {
  const programs = findMariaDb()
  if (programs === undefined) throw new Error(`MariaDB is missing. ${mariaDbMend}`)
  return await Server.start(recipe(programs), parent)
}

export interface MariaDbPrograms {
  readonly server: string
  readonly installer: string
}

/** MariaDB's programs: those of MARIADB_BIN, else this machine's. */
export function findMariaDb(): MariaDbPrograms | undefined {
  const chosen = process.env['MARIADB_BIN']
  const folders = chosen === undefined ? searchPath() : [chosen]
  const server = firstOf(folders, 'mariadbd', 'mysqld')
  const installer = firstOf(folders, 'mariadb-install-db', 'mysql_install_db')
  return server === undefined || installer === undefined ? undefined : { server, installer }
}

export const mariaDbMend = 'Install it, for instance: apt-get install mariadb-server'

// A killed server must keep what it committed (flush-log-at-trx-commit=2), a power cut need not be survived.
// The time zone is odd on purpose: nothing may depend on it.
const settings = [
  '--bind-address=127.0.0.1',
  '--skip-log-bin',
  '--max-connections=300',
  '--default-time-zone=-03:30',
  '--performance-schema=off',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-doublewrite=0',
  '--innodb-flush-method=nosync',
  '--innodb-buffer-pool-size=128M',
]

function recipe(programs: MariaDbPrograms): Recipe {
  return {
    name: 'mariadb',
    account: 'mysql',
    crash: 'SIGKILL',
    quit: 'SIGTERM',
    async install(place) {
      writeFileSync(join(place.folder, 'init.sql'), initSql)
      await install(
        place,
        programs.installer,
        '--no-defaults',
        `--datadir=${join(place.folder, 'data')}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      )
    },
    command: (place, port) => [
      programs.server,
      '--no-defaults',
      `--datadir=${join(place.folder, 'data')}`,
      `--port=${port}`,
      `--socket=${join(place.folder, 'socket')}`,
      // Of its own: a server that starts deletes what it finds there of others' temporary tables.
      `--tmpdir=${join(place.folder, 'data')}`,
      `--pid-file=${join(place.folder, 'own-pid')}`,
      `--init-file=${join(place.folder, 'init.sql')}`,
      ...settings,
    ],
    query,
    version: async (port) =>
      String((await query(port, 'SELECT VERSION() AS version'))[0]?.['version']).replace(/-.*/, ''),
    create: (database) => `CREATE DATABASE \`${database}\` CHARACTER SET utf8mb4`,
    drop: (database) => `DROP DATABASE IF EXISTS \`${database}\``,
  }
}

const initSql = ['localhost', '%']
  .map((host) =>
    [
      `CREATE USER IF NOT EXISTS '${user.username}'@'${host}' IDENTIFIED BY '${user.password}';`,
      `GRANT ALL ON *.* TO '${user.username}'@'${host}' WITH GRANT OPTION;`,
    ].join('\n'),
  )
  .join('\n')

async function query(port: number, sql: string): Promise<Record<string, unknown>[]> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection({
    host: '127.0.0.1',
    port,
    user: user.username,
    password: user.password,
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

function firstOf(folders: readonly string[], ...programs: string[]): string | undefined {
  for (const program of programs) {
    const folder = folderWith(folders, program)
    if (folder !== undefined) return join(folder, program)
  }
  return undefined
}
