import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { planMigration } from '#plan'
import { dbTaskResultSchema } from '#entities'
import { DJANGO_TABLE, djangoDdl } from './django-ddl'
import type { SpecDatabase } from './databases'

type Name = SpecDatabase['name']

/** A row as Django's INSERT gives it: twelve columns, all as text but the priority. */
export interface DjangoInsert {
  id: string
  status: string
  args_kwargs: string
  priority: number
  task_path: string
  queue_name: string
  backend_name: string
  run_after: string
  enqueued_at: string
  exception_class_path: string
  traceback: string
  worker_ids: string
}

/** An open DataSource on a table that Django made, with our columns added; `ordering`: with Django's own index for claims. */
export async function djangosTable(
  database: SpecDatabase,
  { ordering }: { ordering: boolean },
): Promise<DataSource> {
  const dataSource = await database.connect({
    entities: [dbTaskResultSchema({ tableName: DJANGO_TABLE, managed: false })],
  })
  for (const sql of djangoDdl[database.name])
    if (ordering || !sql.includes('tasks_db_new_ordering_idx')) await dataSource.query(sql)
  // MySQL gets it from Django; on MariaDB Django's migration forgets it, and people add it by hand.
  if (ordering && database.name === 'mariadb')
    await dataSource.query(
      `CREATE INDEX tasks_db_new_ordering_idx ON ${DJANGO_TABLE} (status, priority DESC, run_after, enqueued_at)`,
    )
  for (const sql of (await planMigration(dataSource)).up) await dataSource.query(sql)
  return dataSource
}

/** A row that waits, as Django writes it; the id in the database's form. */
export function djangoRow(name: Name, differently: Partial<DjangoInsert> = {}): DjangoInsert {
  made += 1
  const hex = `0e13b43b18a1440fbb09${made.toString(16).padStart(12, '0')}`
  return {
    id: name === 'sqlite' ? hex : hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    status: 'READY',
    args_kwargs: '{"args": [7], "kwargs": {}}',
    priority: 0,
    task_path: 'spec.echo',
    queue_name: 'default',
    backend_name: 'default',
    run_after: '9999-01-01 00:00:00',
    enqueued_at: '2026-11-20 00:00:01.880191',
    exception_class_path: '',
    traceback: '',
    worker_ids: '[]',
    ...differently,
  }
}

let made = 0

/** Writes rows as Django does: its twelve columns and none of ours. */
export async function insertAsDjango(
  dataSource: DataSource,
  name: Name,
  ...rows: object[]
): Promise<void> {
  for (const row of rows) {
    const columns = Object.keys(row)
    const values = columns.map((column) =>
      zoned(name, column, (row as Record<string, unknown>)[column]),
    )
    const marks = columns.map((_, i) => (name === 'postgres' ? `$${i + 1}` : '?'))
    await dataSource.query(
      `INSERT INTO ${DJANGO_TABLE} (${columns.join(', ')}) VALUES (${marks.join(', ')})`,
      values,
    )
  }
}

/** PostgreSQL would read a text without a zone in the server's own. */
function zoned(name: Name, column: string, value: unknown): unknown {
  const isInstant = /_at$|run_after/.test(column) && typeof value === 'string'
  return name === 'postgres' && isInstant && !value.endsWith('Z') ? `${value}+00` : value
}

/** Django's columns of a row as the database holds them: texts as they are, JSON and instants as text, NULL as null. */
export async function rawRow(
  dataSource: DataSource,
  name: Name,
  id: string,
): Promise<Record<string, unknown>> {
  const columns = [
    ...PLAIN,
    ...JSONS.map((column) => asText(name, column)),
    ...INSTANTS.map((column) => instant(name, column)),
  ]
  const key = name === 'sqlite' ? 'id' : name === 'postgres' ? 'id::text' : 'CAST(id AS CHAR)'
  const [row] = (await dataSource.query(
    `SELECT ${key} AS id, ${columns.join(', ')} FROM ${DJANGO_TABLE} WHERE id = ${name === 'postgres' ? '$1' : '?'}`,
    [id],
  )) as Record<string, unknown>[]
  if (!row) throw new Error(`There is no row ${id}.`)
  return row
}

const PLAIN = [
  'status',
  'priority',
  'task_path',
  'queue_name',
  'backend_name',
  'exception_class_path',
  'traceback',
]
const JSONS = ['args_kwargs', 'return_value', 'worker_ids']
const INSTANTS = ['run_after', 'enqueued_at', 'started_at', 'finished_at']

function asText(name: Name, column: string): string {
  return name === 'postgres'
    ? `${column}::text AS ${column}`
    : name === 'mariadb'
      ? `CAST(${column} AS CHAR) AS ${column}`
      : column
}

/** Where the database keeps instants in a type of its own, the text is what that prints. */
function instant(name: Name, column: string): string {
  if (name === 'postgres')
    return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS ${column}`
  return asText(name, column)
}

/**
 * Drains the table as Django's worker does: one row at a time, locked and then changed by its id alone.
 * Gives the ids it ran.
 */
export async function djangoWorker(dataSource: DataSource, name: Name): Promise<string[]> {
  const ran: string[] = []
  const runner = dataSource.createQueryRunner()
  for (;;) {
    const id = await djangoClaim((sql) => runner.query(sql) as Promise<unknown>, name)
    if (id === undefined) break
    ran.push(id)
    await sleep(1) // the task runs, outside any transaction
    await runner.query(
      `UPDATE ${DJANGO_TABLE} SET status = 'SUCCESSFUL', finished_at = ${NOW[name]}, return_value = NULL, exception_class_path = '', traceback = '' WHERE id = '${id}'`,
    )
  }
  await runner.release()
  return ran
}

const NOW = {
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
  postgres: 'clock_timestamp()',
  mariadb: 'UTC_TIMESTAMP(6)',
}

async function djangoClaim(
  run: (sql: string) => Promise<unknown>,
  name: Name,
): Promise<string | undefined> {
  if (name === 'mariadb') await run('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
  await run(name === 'sqlite' ? 'BEGIN EXCLUSIVE' : 'BEGIN')
  const noDelay = `'9999-01-01 00:00:00${name === 'postgres' ? '+00' : ''}'`
  const [row] =
    (await run(`SELECT id FROM ${DJANGO_TABLE} WHERE status = 'READY' AND (run_after = ${noDelay} OR run_after <= ${NOW[name]}) AND backend_name = 'default'
    ORDER BY priority DESC, run_after ASC, enqueued_at ASC LIMIT 1 ${name === 'sqlite' ? '' : 'FOR UPDATE SKIP LOCKED'}`)) as {
      id: string
    }[]
  if (row)
    await run(
      `UPDATE ${DJANGO_TABLE} SET status = 'RUNNING', started_at = ${NOW[name]}, worker_ids = '["django"]' WHERE id = '${row.id}'`,
    )
  await run('COMMIT')
  return row?.id
}
