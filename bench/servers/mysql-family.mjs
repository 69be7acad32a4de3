import { existsSync } from 'node:fs'
import mysql from 'mysql2/promise'
import { password, user } from './server.mjs'

export const initSql = `CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO '${user}'@'%';\n`

/** What a server of MariaDB or MySQL gives the bench, besides what every server does. */
export function databases(type, { port, pid }) {
  let made = 0
  return {
    async fresh() {
      const database = `bench_${++made}`
      await query(port, `CREATE DATABASE ${database} CHARACTER SET utf8mb4`)
      const seen = existsSync(`/proc/${pid}`) ? pid : undefined
      return { type, host: '127.0.0.1', port, user, password, database, pid: seen }
    },
    drop: ({ database }) => query(port, `DROP DATABASE IF EXISTS ${database}`),
    settle: async () => {},
    async analyse({ database }) {
      const tables = (await query(port, 'SHOW TABLES', database)).map(
        (row) => Object.values(row)[0],
      )
      for (const table of tables) await query(port, `ANALYZE TABLE \`${table}\``, database)
    },
    // MariaDB counts them in its status, MySQL among InnoDB's metrics.
    deadlocks: async () =>
      Number(
        (await query(port, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"))[0]?.Value ??
          (
            await query(
              port,
              "SELECT COUNT AS n FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'",
            )
          )[0]?.n ??
          Number.NaN,
      ),
    query: (sql, database) => query(port, sql, database),
  }
}

export async function versionOf(port) {
  return (await query(port, 'SELECT VERSION() AS version'))[0].version.replace(/-.*/, '')
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
