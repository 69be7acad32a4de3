import type { TableColumn } from '../../../../entities/columns'
import type { Values } from '../../connections/statement'
import { wholeOptionsSql } from '../../../keys'
import type { Batch } from '../records'
import { SMALL_BYTES } from '../sql-text'

export const NOW = 'UTC_TIMESTAMP(6)'
/** `run_after` of a row without a delay. */
export const NO_DELAY = "'9999-01-01 00:00:00'"

/** `run_after` of a row that waits for others. */
export const PARKED = "'9998-01-01 00:00:00'"

/**
 * In a small table the planner would rather read all rows than look up ten: it would meet, and wait for, all rows that others
 * have locked. In a join with `rows` this index alone does not keep it from that: STRAIGHT_JOIN does, with `rows` first.
 */
export const BY_KEY = 'FORCE INDEX (PRIMARY)'

/** The end of a lease that begins at this instant. */
export function leaseFrom(instant: string): string {
  return `${instant} + INTERVAL (:leaseSeconds * 1000000) MICROSECOND`
}

/** So many milliseconds after an instant; NULL for NULL. */
export function inMs(ms: string, from = NOW): string {
  return `${from} + INTERVAL (${ms} * 1000) MICROSECOND`
}

/** As text: the driver would read json and datetimes by settings of the connection, and datetimes in local time. */
export function read({ name, kind }: TableColumn): string {
  if (kind === 'instant') return instantText(`t.${name}`)
  return kind === 'id' || kind === 'json' ? `CAST(t.${name} AS CHAR)` : `t.${name}`
}

/** The same, without large arguments: those are read later, as many as memory bears. */
export function readSmall(column: TableColumn): string {
  return column.name === 'args_kwargs'
    ? `CASE WHEN LENGTH(t.args_kwargs) <= ${SMALL_BYTES} THEN ${read(column)} END`
    : read(column)
}

const joined = (...texts: string[]): string => `CONCAT(${texts.join(', ')})`
/** The options as `wholeOptions` gives them. */
export const WHOLE_OPTIONS = wholeOptionsSql('CAST(t.options AS CHAR)', 't.unique_key', { joined })

export const KEY = 'CAST(t.id AS CHAR) AS row_key'

/** An instant as text. */
export function instantText(instant: string): string {
  return `DATE_FORMAT(${instant}, '%Y-%m-%d %H:%i:%s.%f')`
}

/** The index of each value in the list that is sent for a row; no row has both arguments and claims, or a key and progress. MySQL takes half as long again to find values by name. */
const INDEXES = {
  row_key: 0,
  args_kwargs: 1,
  claims: 1,
  unique_key: 2,
  progress: 2,
  status: 3,
  return_value: 4,
  exception_class_path: 5,
  traceback: 6,
  attempt_errors: 7,
  delay: 8,
}
type Name = keyof typeof INDEXES

/** Texts name their character set: else they have the database's own, and one of latin1 or utf8mb3 turns 日本 and 😀 into question marks. */
const UTF8 = 'CHARACTER SET utf8mb4'
const TYPES: Readonly<Record<string, string>> = {
  row_key: `CHAR(36) ${UTF8}`,
  claims: 'INT',
  delay: 'DOUBLE',
  status: `VARCHAR(10) ${UTF8}`,
  unique_key: `VARCHAR(128) ${UTF8}`,
}

/** A batch as a table `v` with these columns, and `n`, from 1 on. */
export function rows(...names: Name[]): string {
  return `JSON_TABLE(:rows, '$[*]' COLUMNS (n FOR ORDINALITY, ${names.map((name) => `${name} ${TYPES[name] ?? `LONGTEXT ${UTF8}`} PATH '$[${INDEXES[name]}]'`).join(', ')})) v`
}

/** The values of a batch: `:rows` as `rows` reads them, and the ids as the list `:keys`. All in the order of ids, so that no two statements wait for each other's rows. */
export function valuesOf(batch: Batch): Values {
  const sorted = batch.toSorted((a, b) => (a.row_key < b.row_key ? -1 : 1))
  return { rows: JSON.stringify(sorted.map(listOf)), keys: sorted.map((row) => row.row_key) }
}

function listOf(row: Batch[number]): unknown[] {
  const list: unknown[] = []
  for (const name in row) list[INDEXES[name as Name]] = row[name as keyof typeof row]
  return list
}
