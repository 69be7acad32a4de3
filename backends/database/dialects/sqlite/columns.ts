import type { TableColumn } from '../../../../entities/columns'
import { SMALL_BYTES } from '../sql-text'
import { instant } from './instants'

/** As text, since SQLite stores values of any type in any column. Without a table's name, which RETURNING would refuse. */
export const read = ({ name, kind }: TableColumn): string =>
  kind === 'int' || kind === 'word' ? name : `CAST(${name} AS TEXT)`
/** Large arguments are read later, as many as memory bears. */
export const readSmall = (column: TableColumn): string =>
  column.name === 'args_kwargs'
    ? `CASE WHEN length(args_kwargs) <= ${SMALL_BYTES} THEN ${read(column)} END`
    : read(column)

export const NOW = instant()
/**
 * The end of the present millisecond, in which Django may have written an instant with microseconds. What begins or ends here
 * comes after it.
 */
export const AFTER_ALL = endOfMs()

export function endOfMs(...modifiers: string[]): string {
  return `strftime(${["'%Y-%m-%d %H:%M:%f999'", "'now'", ...modifiers].join(', ')})`
}
export const LEASE = instant("'+' || :leaseSeconds || ' seconds'")
/** The guard of every write of a batch. */
export const FENCE = `t.id = v.row_key AND t.status = 'RUNNING' AND t.claims = v.claims AND t.lease_until IS NOT NULL`

/** A batch as a table `v` with these columns. */
export function rows(...columns: string[]): string {
  return `(SELECT ${columns.map((column) => `json_extract(value, '$.${column}') AS ${column}`).join(', ')} FROM json_each(:rows)) AS v`
}
