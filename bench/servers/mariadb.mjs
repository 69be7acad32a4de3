import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databases, initSql, versionOf } from './mysql-family.mjs'
import { folderWith, run, startServer } from './server.mjs'

/** MariaDB as it comes: every commit is flushed. */
export async function startMariaDb() {
  const bin = folderWith([], 'mariadbd')
  const installer = folderWith([], 'mariadb-install-db')
  if (bin === undefined || installer === undefined)
    throw new Error('MariaDB is missing. Install it, for instance: apt-get install mariadb-server')
  const server = await startServer({
    name: 'mariadb',
    account: 'mysql',
    install(place) {
      writeFileSync(join(place.folder, 'init.sql'), initSql)
      run(
        place,
        join(installer, 'mariadb-install-db'),
        '--no-defaults',
        `--datadir=${join(place.folder, 'data')}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      )
    },
    command: ({ folder }, port) => [
      join(bin, 'mariadbd'),
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'own-pid')}`,
      `--init-file=${join(folder, 'init.sql')}`,
      // Servers that share a folder for temporary tables delete each other's.
      `--tmpdir=${join(folder, 'data')}`,
    ],
    version: versionOf,
  })
  return { ...server, ...databases('mariadb', server), name: 'MariaDB' }
}
