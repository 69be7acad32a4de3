// Many rows of this library's table, made in the database: what a table holds after months, in seconds.

const DAY = 86_400_000

const columns = `id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after,
  return_value, exception_class_path, traceback, claims`

/**
 * @param kind `finished`, `later` (READY, due tomorrow, at the same priority) or `ready`.
 * @param from The milliseconds since 1970 with which the ids begin, one for each row: those of finished rows are of yesterday.
 */
export function grownRows(
  type,
  kind,
  count,
  from = Date.now() - (kind === 'finished' ? DAY : 0) - count,
) {
  const finished = kind === 'finished'
  const values = dialects[type]
  const row = (
    runAfter,
  ) => `${values.id(from)}, '${finished ? 'SUCCESSFUL' : 'READY'}', ${values.now}, ${finished ? `${values.now}, ${values.now}` : 'NULL, NULL'},
    '{"args": [{}], "kwargs": {}}', 0, 'bench.work', '${finished ? '["bench-worker"]' : '[]'}', 'default', 'default', ${runAfter}, ${finished ? "'null'" : 'NULL'}, '', '', ${finished ? 1 : 0}`
  return values.insert(row(kind === 'later' ? values.tomorrow : values.undelayed), count)
}

const dialects = {
  postgres: {
    now: 'clock_timestamp()',
    tomorrow: "clock_timestamp() + INTERVAL '1 day'",
    undelayed: "'9999-01-01 00:00:00+00'",
    id: (from) =>
      `(lpad(to_hex(${from} + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid`,
    insert: (row, count) => [
      `INSERT INTO db_task_result (${columns}) SELECT ${row.replace("'{", "jsonb '{").replace("'null'", "jsonb 'null'")} FROM generate_series(1, ${count}) AS n`,
      'ANALYZE db_task_result',
    ],
  },
  mariadb: {
    // Of one statement all rows have the same; such as were enqueued one by one have not.
    now: 'UTC_TIMESTAMP(6) + INTERVAL seq MICROSECOND',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY + INTERVAL seq MICROSECOND',
    undelayed: "'9999-01-01 00:00:00'",
    id: (from) =>
      `CONCAT(LPAD(HEX(${from} + seq), 12, '0'), '7', SUBSTR(MD5(seq), 1, 3), '8', SUBSTR(MD5(RAND()), 1, 15))`,
    insert: (row, count) => [
      `INSERT INTO db_task_result (${columns}) SELECT ${row} FROM seq_1_to_${count}`,
      'ANALYZE TABLE db_task_result',
    ],
  },
  mysql: {
    now: 'UTC_TIMESTAMP(6) + INTERVAL n MICROSECOND',
    tomorrow: 'UTC_TIMESTAMP(6) + INTERVAL 1 DAY + INTERVAL n MICROSECOND',
    undelayed: "'9999-01-01 00:00:00'",
    id: (from) =>
      `LOWER(CONCAT(LPAD(HEX(${from} + n), 12, '0'), '7', SUBSTR(SHA2(n, 256), 1, 3), '8', SUBSTR(SHA2(RAND(), 256), 1, 15)))`,
    insert: (row, count) => [
      `INSERT INTO db_task_result (${columns}) WITH RECURSIVE counted(n) AS (SELECT /*+ SET_VAR(cte_max_recursion_depth = ${count + 1}) */ 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${count}) SELECT ${row} FROM counted`,
      'ANALYZE TABLE db_task_result',
    ],
  },
  'better-sqlite3': {
    now: "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
    tomorrow: "strftime('%Y-%m-%d %H:%M:%f000', 'now', '+1 day')",
    undelayed: "'9999-01-01 00:00:00'",
    id: (from) =>
      `printf('%012x', ${from} + n) || '7' || substr(lower(hex(randomblob(2))), 1, 3) || '8' || substr(lower(hex(randomblob(8))), 1, 15)`,
    insert: (row, count) => [
      `INSERT INTO db_task_result (${columns}) WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${count}) SELECT ${row} FROM counted`,
    ],
  },
}
