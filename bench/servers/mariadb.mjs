import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import { folderWith, password, run, startServer, user } from './server.mjs'

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
      writeFileSync(
        join(place.folder, 'init.sql'),
        `CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO '${user}'@'%';\n`,
      )
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
    version: async (port) =>
      (await query(port, 'SELECT VERSION() AS version'))[0].version.replace(/-.*/, ''),
  })
  return { ...server, ...databases(server), name: 'MariaDB' }
}

function databases({ port, pid }) {
  let made = 0
  return {
    async fresh() {
      const database = `bench_${++made}`
      await query(port, `CREATE DATABASE ${database} CHARACTER SET utf8mb4`)
      return {
        type: 'mariadb',
        host: '127.0.0.1',
        port,
        user,
        password,
        database,
        pid: existsSync(`/proc/${pid}`) ? pid : undefined,
      }
    },
    drop: ({ database }) => query(port, `DROP DATABASE IF EXISTS ${database}`),
    settle: async () => {},
    deadlocks: async () =>
      Number(
        (await query(port, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"))[0]?.Value ?? Number.NaN,
      ),
    query: (sql, database) => query(port, sql, database),
  }
}

async function query(port, sql, database) {
  const connection = await mysql.createConnection({
    host: '127.0.0.1',
    port,
    user,
    password,
    database,
    connectTimeout: 5_000,
  })
  try {
    return (await connection.query(sql))[0]
  } finally {
    await connection.end()
  }
}
