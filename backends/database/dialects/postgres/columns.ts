import type { TableColumn } from '../../../../entities/columns'
import { selectList, SMALL_BYTES } from '../sql-text'

/** `run_after` of a row without a delay. */
export const NO_DELAY = `TIMESTAMPTZ '9999-01-01 00:00:00+00'`

/** `run_after` of a row that waits for others. */
export const PARKED = `TIMESTAMPTZ '9998-01-01 00:00:00+00'`

/** So many milliseconds after now, or after another instant; NULL for NULL. */
export function inMs(ms: string, from = 'statement_timestamp()'): string {
  return `${from} + ${ms}::double precision * INTERVAL '1 millisecond'`
}

/** `unique_key` in the collation for which capitals matter, whatever that of the column is. */
export const EXACT_KEY = 't.unique_key COLLATE "C"'

/** An instant as text in UTC. */
export const instantText = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`

/** As text, since an app may have changed how its driver reads json and timestamps. */
export const read = ({ name, kind }: TableColumn): string => {
  if (kind === 'instant') return instantText(`t.${name}`)
  return kind === 'id' || kind === 'json' ? `t.${name}::text` : `t.${name}`
}

export const ROW = selectList(read)

/** Up to this stored size, in bytes, arguments are small even if they are compressed, to a ninetieth at best. */
const SURELY_SMALL = 1_000
/** From this stored size on they may be small no more, and are not made text only to find out. */
const SURELY_LARGE = SMALL_BYTES / 2

const [ARGUMENTS, STORED] = ['t.args_kwargs::text', 'pg_column_size(t.args_kwargs)']
export const SMALL_ARGUMENTS = `CASE WHEN ${STORED} <= ${SURELY_SMALL} OR (${STORED} <= ${SURELY_LARGE} AND octet_length(${ARGUMENTS}) <= ${SMALL_BYTES}) THEN ${ARGUMENTS} END`

/** The same, without large arguments: those are read later, as many as memory bears. */
const readSmall = (column: TableColumn): string => {
  return column.name === 'args_kwargs' ? SMALL_ARGUMENTS : read(column)
}

/** What is read of a row whose lease has ended. */
export const EXPIRED = selectList(readSmall)

const TYPES: Readonly<Record<string, string>> = {
  row_key: 'uuid',
  claims: 'int',
  delay: 'double precision',
  args_kwargs: 'jsonb',
}

/**
 * A batch as a table `v` with these columns; it travels as one array for each column. PostgreSQL assumes that an array it
 * cannot see has ten rows, and that a set made from JSON has a hundred; an array that it sees, it counts. For hundreds it
 * would rather read a table of fifty thousand rows than look each of them up (measured: 90 ms instead of 7 for 400 rows).
 */
export function rows(...names: string[]): string {
  return unnested(names, '')
}

/** How long a statement for many rows waits for one that somebody else has locked, in ms. */
const LOCK_MS = 1_000

/**
 * As `rows`, in a statement that waits only so long for each locked row. The statement itself says so, until its end:
 * behind a pooler such as PgBouncer a connection has other users, too.
 */
export function soonRows(...names: string[]): string {
  return unnested(names, ` WHERE set_config('lock_timeout', '${LOCK_MS}', true) <> ''`)
}

/** `condition`: of the first array. */
function unnested(names: readonly string[], condition: string): string {
  const arrays = names.map(
    (name, i) => `(SELECT :${name}::${TYPES[name] ?? 'text'}[]${i === 0 ? condition : ''})`,
  )
  return `unnest(${arrays.join(', ')}) AS v(${names.join(', ')})`
}

/**
 * What outcomes mostly say. A column in which all rows have this value travels as NULL, which `unnest` reads as a column of
 * NULLs.
 */
export const USUAL = { status: 'SUCCESSFUL', exception_class_path: '', traceback: '' } as const
