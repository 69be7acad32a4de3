import type { Batch } from '../sql-dialect'
import type { Values } from '../../connections/statement'

export const NOW = 'UTC_TIMESTAMP(6)'
export const NO_DELAY = "'9999-01-01 00:00:00'"

/** Of a small table the planner would rather read all than look up ten rows: it would come upon, and wait for, whatever others have locked. */
export const BY_KEY = 'FORCE INDEX (PRIMARY)'

/** Until when a row is held. */
export function leaseFrom(instant: string): string {
  return `${instant} + INTERVAL (:leaseSeconds * 1000000) MICROSECOND`
}

/** As text: the driver would read json and datetimes by settings of the connection, and datetimes in local time. */
export const KEY = 'CAST(t.id AS CHAR) AS row_key'

export function texts(...columns: string[]): string {
  return columns.map((column) => `CAST(t.${column} AS CHAR) AS ${column}`).join(', ')
}

export function instants(...columns: string[]): string {
  return columns.map((column) => `${told(`t.${column}`)} AS ${column}`).join(', ')
}

/** An instant as text. */
export function told(instant: string): string {
  return `DATE_FORMAT(${instant}, '%Y-%m-%d %H:%i:%s.%f')`
}

/** Where each value stands in what is sent of a row; no row has both arguments and claims. By their names it takes half as long again to find them. */
const PLACES = {
  row_key: 0,
  args_kwargs: 1,
  claims: 1,
  progress: 2,
  status: 3,
  return_value: 4,
  exception_class_path: 5,
  traceback: 6,
  attempt_error: 7,
  delay: 8,
}
/** Texts name their character set: else they have the database's own, and one of latin1 or utf8mb3 turns 日本 and 😀 into question marks. */
const UTF8 = 'CHARACTER SET utf8mb4'
const TYPES: Readonly<Record<string, string>> = {
  row_key: `CHAR(36) ${UTF8}`,
  claims: 'INT',
  delay: 'DOUBLE',
  status: `VARCHAR(10) ${UTF8}`,
}

type Name = keyof typeof PLACES

/** A batch as a table `v` with these columns, and `n`, from 1 on. */
export function rows(...names: Name[]): string {
  return `JSON_TABLE(:rows, '$[*]' COLUMNS (n FOR ORDINALITY, ${names.map((name) => `${name} ${TYPES[name] ?? `LONGTEXT ${UTF8}`} PATH '$[${PLACES[name]}]'`).join(', ')})) v`
}

/** The values of a batch: as `rows` reads them, and the ids as a list. All in the order of ids, so that no two statements wait for each other's rows. */
export function valuesOf(batch: Batch): Values {
  const sorted = batch.toSorted((a, b) => (a.row_key < b.row_key ? -1 : 1))
  return { rows: JSON.stringify(sorted.map(listOf)), keys: sorted.map((row) => row.row_key) }
}

function listOf(row: Batch[number]): unknown[] {
  const list: unknown[] = []
  for (const name in row) list[PLACES[name as Name]] = row[name as keyof typeof row]
  return list
}
