// The limit: `better-sqlite3` alone, on the library's row, with one index; no lease, no fence, no retry.
import Database from 'better-sqlite3'
import { setImmediate } from 'node:timers/promises'
import { argsKwargs, NAMES, timedId } from './raw-row.mjs'

const table = `CREATE TABLE raw_task (id varchar(32) PRIMARY KEY, status varchar(10) NOT NULL, enqueued_at text NOT NULL, started_at text, finished_at text,
  args_kwargs text NOT NULL, priority integer NOT NULL, task_path text NOT NULL, worker_ids text NOT NULL, queue_name varchar(32) NOT NULL, backend_name varchar(32) NOT NULL,
  run_after text NOT NULL, return_value text, exception_class_path text NOT NULL, traceback text NOT NULL, claims integer NOT NULL DEFAULT 0, lease_until text,
  cancel_requested_at text, unique_key varchar(128), attempt_errors text, progress text, options text);
  CREATE INDEX raw_ready ON raw_task (priority DESC, id) WHERE status = 'READY'`

const NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"

const statements = {
  add: `INSERT INTO raw_task (${NAMES}) VALUES (?, 'READY', ${NOW}, ?, 0, 'bench.work', '[]', 'default', 'default', '9999-01-01 00:00:00', '', '')`,
  claim: `UPDATE raw_task SET status = 'RUNNING', started_at = ${NOW}, claims = claims + 1
    WHERE id IN (SELECT id FROM raw_task WHERE status = 'READY' ORDER BY priority DESC, id LIMIT ?) RETURNING id, args_kwargs`,
  complete: `UPDATE raw_task SET status = 'SUCCESSFUL', finished_at = ${NOW}, return_value = 'null' WHERE id = ?`,
}

export async function open({ database: file }, { size = 100 }) {
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  const prepared = new Map()
  const prepare = (name) =>
    prepared.get(name) ?? prepared.set(name, database.prepare(statements[name])).get(name)
  const add = (payload) => prepare('add').run(timedId(), argsKwargs(payload))
  return {
    tellsCompleted: true,
    install: () => database.exec(table),
    add,
    addMany: (payloads) => database.transaction(() => payloads.forEach(add))(),
    work: async (hub) => void loop(database, prepare, size, hub),
    left: () =>
      database
        .prepare("SELECT count(*) FROM raw_task WHERE status IN ('READY', 'RUNNING')")
        .pluck()
        .get(),
  }
}

async function loop(database, prepare, size, { run, completed }) {
  const complete = database.transaction((rows) =>
    rows.forEach((row) => prepare('complete').run(row.id)),
  )
  for (;;) {
    const rows = prepare('claim').all(size)
    if (rows.length === 0) return
    await Promise.all(rows.map((row) => run(JSON.parse(row.args_kwargs).args[0])))
    complete(rows)
    completed(rows.length)
    await setImmediate()
  }
}
