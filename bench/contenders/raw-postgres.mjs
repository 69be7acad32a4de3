// The limit: `pg` alone with prepared statements, on the library's row, with one index; no lease, no fence, no retry.
import pg from 'pg'
import { argsKwargs, NAMES, timedId } from './raw-row.mjs'

const table = `CREATE TABLE raw_task (id uuid PRIMARY KEY, status varchar(10) NOT NULL, enqueued_at timestamptz NOT NULL, started_at timestamptz, finished_at timestamptz,
  args_kwargs jsonb NOT NULL, priority int NOT NULL, task_path text NOT NULL, worker_ids jsonb NOT NULL, queue_name varchar(32) NOT NULL, backend_name varchar(32) NOT NULL,
  run_after timestamptz NOT NULL, return_value jsonb, exception_class_path text NOT NULL, traceback text NOT NULL, claims int NOT NULL DEFAULT 0, lease_until timestamptz,
  cancel_requested_at timestamptz, unique_key varchar(128), attempt_errors jsonb, progress jsonb, options jsonb)`

const constants = (id, args) =>
  `${id}, 'READY', now(), ${args}, 0, 'bench.work', '[]', 'default', 'default', '9999-01-01 00:00:00+00', '', ''`

const statements = {
  add: `INSERT INTO raw_task (${NAMES}) VALUES (${constants('$1', '$2')})`,
  addMany: `INSERT INTO raw_task (${NAMES}) SELECT ${constants('v.id', 'v.args')} FROM unnest($1::uuid[], $2::jsonb[]) AS v(id, args)`,
  claim: `UPDATE raw_task SET status = 'RUNNING', started_at = now(), claims = claims + 1 WHERE id = ANY (ARRAY(
    SELECT id FROM raw_task WHERE status = 'READY' ORDER BY priority DESC, id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, args_kwargs`,
  complete: `UPDATE raw_task SET status = 'SUCCESSFUL', finished_at = now(), return_value = 'null' WHERE id = ANY ($1::uuid[])`,
}

export async function open(
  { host, port, user, password, database },
  { size = 100, connections = 1 },
) {
  const pool = new pg.Pool({ host, port, user, password, database, max: 20 })
  const ask = (name, ...values) => pool.query({ name, text: statements[name], values })
  return {
    tellsCompleted: true,
    install: () =>
      pool.query(
        `${table}; CREATE INDEX raw_ready ON raw_task (priority DESC, id) WHERE status = 'READY'`,
      ),
    add: (payload) => ask('add', timedId(), argsKwargs(payload)),
    // As texts of arrays: the driver's own way escapes by regular expressions.
    addMany: (payloads) =>
      ask(
        'addMany',
        `{${payloads.map(timedId).join(',')}}`,
        `{${payloads.map((payload) => JSON.stringify(argsKwargs(payload))).join(',')}}`,
      ),
    work: async (hub) => void Array.from({ length: connections }, () => loop(ask, size, hub)),
    left: async () =>
      Number(
        (
          await pool.query(
            "SELECT count(*) AS n FROM raw_task WHERE status IN ('READY', 'RUNNING')",
          )
        ).rows[0].n,
      ),
  }
}

async function loop(ask, size, { run, completed }) {
  for (;;) {
    const { rows } = await ask('claim', size)
    if (rows.length === 0) return
    await Promise.all(rows.map((row) => run(row.args_kwargs.args[0])))
    await ask(
      'complete',
      rows.map((row) => row.id),
    )
    completed(rows.length)
  }
}
