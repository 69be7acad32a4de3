import type { DataSource } from 'typeorm'
import { isMySqlFamily } from '../../support/databases'
import { mySqlNumbers } from '../../support/many-rows'
import type { DatabaseName } from '../../support/servers/wanted'

/** Rows of tasks that ended, an hour ago and earlier, written by the database itself. */
export async function addFinished(
  dataSource: DataSource,
  name: DatabaseName,
  howMany: number,
): Promise<void> {
  await add(dataSource, name, 1, howMany, {
    status: 'SUCCESSFUL',
    finishedAt: SQL[name].hoursAgo,
    workerIds: '["w-0"]',
    claims: 1,
  })
}

/** Rows that wait: of three queues, of nine priorities, one in ten of them for tomorrow. */
export async function addReady(
  dataSource: DataSource,
  name: DatabaseName,
  first: number,
  howMany: number,
): Promise<void> {
  await add(dataSource, name, first, first + howMany - 1, {
    status: 'READY',
    finishedAt: 'NULL',
    workerIds: '[]',
    claims: 0,
  })
}

/** Brings the database's idea of its tables up to date, as it does itself after a while. */
export async function analyze(dataSource: DataSource, name: DatabaseName): Promise<void> {
  await dataSource.query(
    {
      sqlite: 'ANALYZE',
      postgres: 'VACUUM ANALYZE db_task_result',
      mariadb: 'ANALYZE TABLE db_task_result',
      mysql: 'ANALYZE TABLE db_task_result',
    }[name],
  )
}

/** Of measured milliseconds the 99th of a hundred. */
export function p99(times: readonly number[]): number {
  return (
    times.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(times.length * 0.99) - 1)] ?? Number.NaN
  )
}

interface Wanted {
  readonly status: string
  readonly finishedAt: string
  readonly workerIds: string
  readonly claims: number
}

const CHUNK = 100_000

async function add(
  dataSource: DataSource,
  name: DatabaseName,
  first: number,
  last: number,
  { status, finishedAt, workerIds, claims }: Wanted,
): Promise<void> {
  const { id, now, tomorrow, none, numbers } = SQL[name]
  for (let at = first; at <= last; at += CHUNK)
    await dataSource.query(`INSERT INTO db_task_result (id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after, exception_class_path, traceback, claims)
      SELECT ${id}, '${status}', ${now}, ${finishedAt}, ${finishedAt}, '{"args": [], "kwargs": {}}', CAST(n % 9 AS ${isMySqlFamily(name) ? 'SIGNED' : 'integer'}) - 4, 'spec.add', '${workerIds}', CASE n % 3 WHEN 0 THEN 'default' WHEN 1 THEN 'mail' ELSE 'slow' END, 'default',
        CASE WHEN '${status}' = 'READY' AND n % 10 = 0 THEN ${tomorrow} ELSE ${none} END, '', '', ${claims} FROM ${numbers(at, Math.min(last, at + CHUNK - 1))}`)
}

const SQL = {
  sqlite: {
    id: "printf('%032x', n)",
    now: "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
    tomorrow: "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 day') || '000'",
    hoursAgo: "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour', (-(n % 500)) || ' hours') || '000'",
    none: "'9999-01-01 00:00:00'",
    numbers: (first: number, last: number) =>
      `(WITH RECURSIVE s(n) AS (SELECT ${first} UNION ALL SELECT n + 1 FROM s WHERE n < ${last}) SELECT n FROM s)`,
  },
  postgres: {
    id: "lpad(to_hex(n), 32, '0')::uuid",
    now: 'clock_timestamp()',
    tomorrow: "now() + INTERVAL '1 day'",
    hoursAgo: "now() - INTERVAL '1 hour' - n % 500 * INTERVAL '1 hour'",
    none: "'9999-01-01 00:00:00+00'::timestamptz",
    numbers: (first: number, last: number) => `generate_series(${first}, ${last}) AS s(n)`,
  },
  mariadb: {
    id: "CAST(LPAD(HEX(n), 32, '0') AS UUID)",
    now: 'UTC_TIMESTAMP(6)',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY',
    hoursAgo: 'UTC_TIMESTAMP(6) - INTERVAL 1 HOUR - INTERVAL (n % 500) HOUR',
    none: "'9999-01-01 00:00:00'",
    numbers: (first: number, last: number) => `(SELECT seq AS n FROM seq_${first}_to_${last}) s`,
  },
  mysql: {
    id: "LOWER(LPAD(HEX(n), 32, '0'))",
    now: 'UTC_TIMESTAMP(6)',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY',
    hoursAgo: 'UTC_TIMESTAMP(6) - INTERVAL 1 HOUR - INTERVAL (n % 500) HOUR',
    none: "'9999-01-01 00:00:00'",
    numbers: mySqlNumbers,
  },
}
