import type { DataSource } from 'typeorm'
import type { DatabaseName } from './servers/wanted'

export type { DatabaseName }

export interface ManyRows {
  /** The first row's number, which its id is made of. */
  readonly from: number
  readonly count: number
  /** READY unless told; a finished one ended so many days ago as its number has hundreds, from 0 to 19. */
  readonly status?: 'READY' | 'SUCCESSFUL'
  readonly runAfter?: 'tomorrow'
  readonly priority?: number
  /** `default` and `mail` in turns unless told. */
  readonly queue?: string
}

/** Rows that the database itself writes: a hundred thousand in a second. No statistics of them are made. */
export async function addRows(
  dataSource: DataSource,
  name: DatabaseName,
  { from, count, status = 'READY', runAfter, priority = 0, queue }: ManyRows,
): Promise<void> {
  const { id, now, ago, tomorrow, none, numbers } = SQL[name]
  const isDone = status !== 'READY'
  await dataSource.query(`INSERT INTO db_task_result (id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after, exception_class_path, traceback, claims)
    SELECT ${id}, '${status}', ${now}, ${isDone ? `${ago}, ${ago}` : 'NULL, NULL'}, '{"args": [], "kwargs": {}}', ${priority}, 'spec.add', '${isDone ? '["w-0"]' : '[]'}',
      ${queue === undefined ? "CASE n % 2 WHEN 0 THEN 'default' ELSE 'mail' END" : `'${queue}'`}, 'default', ${runAfter === 'tomorrow' ? tomorrow : none}, '', '', ${isDone ? 1 : 0} FROM ${numbers(from, from + count - 1)}`)
}

const SQL = {
  sqlite: {
    id: "printf('00000000000070008000%012x', n)",
    now: "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
    ago: "strftime('%Y-%m-%d %H:%M:%f', 'now', (-(n / 100 % 20)) || ' days', '-1 hours') || '000'",
    tomorrow: "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 day', (n % 5000) || ' seconds') || '000'",
    none: "'9999-01-01 00:00:00'",
    numbers: (first: number, last: number) =>
      `(WITH RECURSIVE s(n) AS (SELECT ${first} UNION ALL SELECT n + 1 FROM s WHERE n < ${last}) SELECT n FROM s)`,
  },
  postgres: {
    id: "('00000000000070008000' || lpad(to_hex(n), 12, '0'))::uuid",
    now: 'clock_timestamp()',
    ago: "now() - (n / 100 % 20) * INTERVAL '1 day' - INTERVAL '1 hour'",
    tomorrow: "now() + INTERVAL '1 day' + n % 5000 * INTERVAL '1 second'",
    none: "'9999-01-01 00:00:00+00'::timestamptz",
    numbers: (first: number, last: number) => `generate_series(${first}, ${last}) AS s(n)`,
  },
  mariadb: {
    id: "CAST(CONCAT('00000000000070008000', LPAD(HEX(n), 12, '0')) AS UUID)",
    now: 'UTC_TIMESTAMP(6)',
    ago: 'UTC_TIMESTAMP(6) - INTERVAL (FLOOR(n / 100) % 20) DAY - INTERVAL 1 HOUR',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY + INTERVAL n % 5000 SECOND',
    none: "'9999-01-01 00:00:00'",
    numbers: (first: number, last: number) => `(SELECT seq AS n FROM seq_${first}_to_${last}) s`,
  },
  mysql: {
    id: "CONCAT('00000000000070008000', LOWER(LPAD(HEX(n), 12, '0')))",
    now: 'UTC_TIMESTAMP(6)',
    ago: 'UTC_TIMESTAMP(6) - INTERVAL (FLOOR(n / 100) % 20) DAY - INTERVAL 1 HOUR',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY + INTERVAL n % 5000 SECOND',
    none: "'9999-01-01 00:00:00'",
    numbers: mySqlNumbers,
  },
}

/** MySQL has neither a table nor a function of numbers, and ends a recursion after 1000. */
export function mySqlNumbers(first: number, last: number): string {
  return `(SELECT i + ${first - 1} AS n FROM JSON_TABLE(CONCAT('[', REPEAT('0,', ${last - first}), '0]'), '$[*]' COLUMNS (i FOR ORDINALITY)) j) s`
}
