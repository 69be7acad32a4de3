import type { DataSource } from 'typeorm'
import { dashed, instantOf } from '#formats'
import type { DatabaseName } from '../../support/servers/wanted'
import type { Change, RowState } from './history'

const TABLE = 'db_task_result'
const COLUMNS = [
  'status',
  'claims',
  'lease_until',
  'worker_ids',
  'attempt_errors',
  'exception_class_path',
]

/** Makes the database itself write down every change of a task's row, in the very transaction of that change, and the ledger. */
export async function installAudit(dataSource: DataSource, name: DatabaseName): Promise<void> {
  for (const sql of [...AUDIT[name], ...LEDGER[name]]) await dataSource.query(sql)
}

/** Every change of every row, in the order they were made. */
export async function readChanges(dataSource: DataSource): Promise<Change[]> {
  const records = (await dataSource.query(
    'SELECT seq, id, noted_at, was, is_now FROM fault_audit ORDER BY seq',
  )) as Record<'seq' | 'id' | 'noted_at' | 'was' | 'is_now', string | null>[]
  return records.map(({ seq, id, noted_at, was, is_now }) => ({
    seq: Number(seq),
    id: dashed(String(id)),
    at: precise(noted_at) ?? 0,
    before: stateOf(was),
    after: stateOf(is_now),
  }))
}

export async function readLedger(dataSource: DataSource): Promise<{ id: string; claim: number }[]> {
  const records = (await dataSource.query('SELECT task_id, claim_no FROM fault_ledger')) as {
    task_id: string
    claim_no: number
  }[]
  return records.map(({ task_id, claim_no }) => ({ id: dashed(task_id), claim: Number(claim_no) }))
}

/** The database's clock, in milliseconds. */
export async function databaseNow(dataSource: DataSource, name: DatabaseName): Promise<number> {
  const [record] = (await dataSource.query(`SELECT ${NOW[name]} AS now`)) as { now: string }[]
  return precise(record?.now ?? null) ?? 0
}

const NOW: Record<DatabaseName, string> = {
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
  postgres: "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
  mariadb: 'CAST(UTC_TIMESTAMP(6) AS CHAR)',
  mysql: 'CAST(UTC_TIMESTAMP(6) AS CHAR)',
}

const MYSQL_LEDGER = [
  'CREATE TABLE fault_ledger (task_id varchar(64) NOT NULL, claim_no int NOT NULL, pid int NOT NULL, UNIQUE (task_id, claim_no))',
]

const LEDGER: Record<DatabaseName, readonly string[]> = {
  sqlite: [
    'CREATE TABLE fault_ledger (task_id TEXT NOT NULL, claim_no INTEGER NOT NULL, pid INTEGER NOT NULL, UNIQUE (task_id, claim_no))',
  ],
  postgres: [
    'CREATE TABLE fault_ledger (task_id text NOT NULL, claim_no integer NOT NULL, pid integer NOT NULL, UNIQUE (task_id, claim_no))',
  ],
  mariadb: MYSQL_LEDGER,
  mysql: MYSQL_LEDGER,
}

const MYSQL_AUDIT = [
  'CREATE TABLE fault_audit (seq bigint AUTO_INCREMENT PRIMARY KEY, id varchar(64), noted_at varchar(40), was longtext, is_now longtext)',
  ...triggers(
    (
      event,
      was,
      isNow,
    ) => `CREATE TRIGGER fault_audit_${event} AFTER ${event} ON ${TABLE} FOR EACH ROW
    INSERT INTO fault_audit (id, noted_at, was, is_now) VALUES (CAST(${isNow === 'NULL' ? 'OLD' : 'NEW'}.id AS CHAR(40)), ${NOW.mariadb}, ${was}, ${isNow})`,
    (alias) => jsonObject('JSON_OBJECT', alias),
  ),
]

const AUDIT: Record<DatabaseName, readonly string[]> = {
  sqlite: [
    'CREATE TABLE fault_audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, noted_at TEXT, was TEXT, is_now TEXT)',
    ...triggers(
      (event, was, isNow) => `CREATE TRIGGER fault_audit_${event} AFTER ${event} ON ${TABLE} BEGIN
      INSERT INTO fault_audit (id, noted_at, was, is_now) VALUES (${isNow === 'NULL' ? 'OLD' : 'NEW'}.id, ${NOW.sqlite}, ${was}, ${isNow}); END`,
      (alias) => jsonObject('json_object', alias),
    ),
  ],
  postgres: [
    'CREATE TABLE fault_audit (seq bigserial PRIMARY KEY, id text, noted_at text, was json, is_now json)',
    ...triggers(
      (
        event,
        was,
        isNow,
      ) => `CREATE FUNCTION fault_audit_${event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO fault_audit (id, noted_at, was, is_now) VALUES (${isNow === 'NULL' ? 'OLD' : 'NEW'}.id::text, ${NOW.postgres}, ${was}, ${isNow}); RETURN NULL; END $$;
      CREATE TRIGGER fault_audit_${event} AFTER ${event} ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION fault_audit_${event}()`,
      (alias) => jsonObject('json_build_object', alias),
    ),
  ],
  mariadb: MYSQL_AUDIT,
  mysql: MYSQL_AUDIT,
}

function triggers(
  statement: (event: string, was: string, isNow: string) => string,
  row: (alias: string) => string,
): string[] {
  return [
    statement('INSERT', 'NULL', row('NEW')),
    statement('UPDATE', row('OLD'), row('NEW')),
    statement('DELETE', row('OLD'), 'NULL'),
  ]
}

function jsonObject(fn: string, alias: string): string {
  return `${fn}(${COLUMNS.map((column) => `'${column}', ${alias}.${column}`).join(', ')})`
}

function stateOf(written: unknown): RowState | null {
  if (written === null || written === undefined) return null
  const row = parsed(written) as Record<string, unknown>
  const errors = listIn(row['attempt_errors']) as { exceptionClassPath?: unknown }[]
  return {
    status: String(row['status']),
    claims: Number(row['claims'] ?? 0),
    leaseUntil: precise(row['lease_until'] as string | null),
    attempts: listIn(row['worker_ids']).length,
    errors: errors.map((error) => String(error.exceptionClassPath)),
    error: (row['exception_class_path'] ?? '') as string,
  }
}

/** Databases put JSON into JSON as itself or as a text. */
function parsed(value: unknown): unknown {
  try {
    return typeof value === 'string' ? JSON.parse(value) : value
  } catch {
    return null
  }
}

function listIn(value: unknown): unknown[] {
  const list = parsed(value)
  return Array.isArray(list) ? list : []
}

/** Milliseconds with their fraction, which a Date would drop. */
function precise(text: string | null): number | null {
  const date = text === null ? null : instantOf(text)
  if (!date || text === null) return null
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? ''
  return date.getTime() + Number(`0.${fraction.slice(3) || '0'}`)
}
