import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderWith, install, said, searchPath } from './binaries'
import { create, drop, initSql, query, version } from './mysql-family'
import { Server, type Recipe } from './server'

/** Starts a MariaDB of the spec's own; its data is in `parent`, which is the folder for temporary ones unless told. */
export async function startMariaDb(parent?: string, more: readonly string[] = []): Promise<Server> {
  const programs = findMariaDb()
  if (programs === undefined) throw new Error(`MariaDB is missing. ${mariaDbHint}`)
  return await Server.start(recipe(programs, more), parent)
}

export interface MariaDbPrograms {
  readonly server: string
  readonly installer: string
}

/** MariaDB's programs: those of MARIADB_BIN, else this machine's. */
export function findMariaDb(): MariaDbPrograms | undefined {
  const chosen = process.env['MARIADB_BIN']
  const folders = chosen === undefined ? searchPath() : [chosen]
  // Older packages have it under MySQL's name only.
  const server =
    firstOf(folders, 'mariadbd') ??
    firstOf(
      folders.filter((folder) => said(join(folder, 'mysqld'), '--version')?.includes('MariaDB')),
      'mysqld',
    )
  const installer = firstOf(folders, 'mariadb-install-db', 'mysql_install_db')
  return server === undefined || installer === undefined ? undefined : { server, installer }
}

export const mariaDbHint = 'Install it, for instance: apt-get install mariadb-server'

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

function recipe(programs: MariaDbPrograms, more: readonly string[]): Recipe {
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
        // Two installations at once would delete each other's temporary tables.
        `--tmpdir=${join(place.folder, 'data')}`,
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
      ...more,
    ],
    query,
    version,
    create,
    drop,
  }
}

function firstOf(folders: readonly string[], ...programs: string[]): string | undefined {
  for (const program of programs) {
    const folder = folderWith(folders, program)
    if (folder !== undefined) return join(folder, program)
  }
  return undefined
}
