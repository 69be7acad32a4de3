// The limit: `mysql2` alone, on the library's row, with one index; no lease, no fence, no retry.
import mysql from 'mysql2/promise'
import { argsKwargs, NAMES, timedId } from './raw-row.mjs'

/** MySQL has no type for ids; both keep JSON as text here. */
const table = (
  id,
) => `CREATE TABLE raw_task (id ${id} PRIMARY KEY, status varchar(10) NOT NULL, enqueued_at datetime(6) NOT NULL, started_at datetime(6), finished_at datetime(6),
  args_kwargs longtext NOT NULL, priority int NOT NULL, task_path longtext NOT NULL, worker_ids longtext NOT NULL, queue_name varchar(32) NOT NULL, backend_name varchar(32) NOT NULL,
  run_after datetime(6) NOT NULL, return_value longtext, exception_class_path longtext NOT NULL, traceback longtext NOT NULL, claims int NOT NULL DEFAULT 0, lease_until datetime(6),
  cancel_requested_at datetime(6), unique_key varchar(128), attempt_errors longtext, progress longtext, options longtext,
  INDEX raw_ready (status, priority, id)) COLLATE utf8mb4_bin`

const constants =
  "(?, 'READY', UTC_TIMESTAMP(6), ?, 0, 'bench.work', '[]', 'default', 'default', '9999-01-01 00:00:00', '', '')"
const marks = (count) => Array(count).fill('?').join(', ')

export async function open(
  { type, host, port, user, password, database },
  { size = 100, connections = 1 },
) {
  const pool = mysql.createPool({ host, port, user, password, database, connectionLimit: 20 })
  return {
    tellsCompleted: true,
    install: () => pool.query(table(type === 'mariadb' ? 'uuid' : 'char(32)')),
    add: (payload) =>
      pool.execute(`INSERT INTO raw_task (${NAMES}) VALUES ${constants}`, [
        timedId(),
        argsKwargs(payload),
      ]),
    addMany: (payloads) =>
      pool.query(
        `INSERT INTO raw_task (${NAMES}) VALUES ${payloads.map(() => constants).join(', ')}`,
        payloads.flatMap((payload) => [timedId(), argsKwargs(payload)]),
      ),
    work: async (hub) =>
      void Array.from({ length: connections }, async () =>
        loop(await pool.getConnection(), size, hub),
      ),
    left: async () =>
      Number(
        (
          await pool.query(
            "SELECT count(*) AS n FROM raw_task WHERE status IN ('READY', 'RUNNING')",
          )
        )[0][0].n,
      ),
  }
}

async function loop(connection, size, { run, completed }) {
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED')
  for (;;) {
    const rows = await claim(connection, size)
    if (rows.length === 0) return
    await Promise.all(rows.map((row) => run(JSON.parse(row.args_kwargs).args[0])))
    await connection.execute(
      `UPDATE raw_task SET status = 'SUCCESSFUL', finished_at = UTC_TIMESTAMP(6), return_value = 'null' WHERE id IN (${marks(rows.length)})`,
      rows.map((row) => row.id),
    )
    completed(rows.length)
  }
}

async function claim(connection, size) {
  await connection.query('BEGIN')
  const [rows] = await connection.execute(
    `SELECT id, args_kwargs FROM raw_task WHERE status = 'READY' ORDER BY priority DESC, id DESC LIMIT ${size} FOR UPDATE SKIP LOCKED`,
  )
  if (rows.length > 0)
    await connection.execute(
      `UPDATE raw_task SET status = 'RUNNING', started_at = UTC_TIMESTAMP(6), claims = claims + 1 WHERE id IN (${marks(rows.length)})`,
      rows.map((row) => row.id),
    )
  await connection.query('COMMIT')
  return rows
}
