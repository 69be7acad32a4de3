import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../lib/prepare.mjs'
import { databases, initSql, versionOf } from './mysql-family.mjs'
import { run, startServer } from './server.mjs'

const SCRIPT = join(repository, 'scripts/mysql-server.sh')

/** MySQL as it comes: every commit is flushed, and written to the binary log, too. */
export async function startMySql() {
  const program = programOf()
  const data = (folder) => join(folder, 'data')
  const server = await startServer({
    name: 'mysql',
    account: 'mysql',
    install(place) {
      writeFileSync(join(place.folder, 'init.sql'), initSql)
      run(
        place,
        program,
        '--no-defaults',
        '--initialize-insecure',
        `--datadir=${data(place.folder)}`,
      )
    },
    command: ({ folder }, port) => [
      program,
      '--no-defaults',
      `--datadir=${data(folder)}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--mysqlx=OFF',
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'own-pid')}`,
      `--init-file=${join(folder, 'init.sql')}`,
    ],
    version: versionOf,
  })
  return { ...server, ...databases('mysql', server), name: 'MySQL' }
}

function programOf() {
  if (process.env.MYSQL_BIN) return join(process.env.MYSQL_BIN, 'mysqld')
  try {
    return execFileSync(SCRIPT, ['program'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    throw new Error(
      'MySQL is missing. Fetch it, which installs nothing: scripts/mysql-server.sh fetch; or set MYSQL_BIN to the folder of a mysqld.',
    )
  }
}
