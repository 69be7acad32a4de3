import type { TableColumn } from '../../../../entities/columns'
import { CLAIM_COLUMNS, selectList } from '../sql-text'

/** `run_after` of a row without a delay. */
export const NO_DELAY = `TIMESTAMPTZ '9999-01-01 00:00:00+00'`

/** An instant as text in UTC. */
export const instantText = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`

/** As text, since an app may have changed how its driver reads json and timestamps. */
const read = ({ name, kind }: TableColumn): string => {
  if (kind === 'instant') return instantText(`t.${name}`)
  return kind === 'id' || kind === 'json' ? `t.${name}::text` : `t.${name}`
}

export const ROW = selectList(read)

/** What a claim reads of a row; `started_at`, which is the same for all, is read once: to_char takes its time. */
export const CLAIMED = selectList(
  (column) =>
    column.name === 'run_after'
      ? `CASE WHEN t.run_after <> ${NO_DELAY} THEN ${read(column)} END`
      : read(column),
  CLAIM_COLUMNS.filter(({ name }) => name !== 'started_at'),
)
export const STARTED_AT = `(SELECT ${instantText('statement_timestamp()')}) AS started_at`

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
  return `unnest(${names.map((name) => `(SELECT :${name}::${TYPES[name] ?? 'text'}[])`).join(', ')}) AS v(${names.join(', ')})`
}

/**
 * What outcomes mostly say. A column in which all rows have this value travels as NULL, which `unnest` reads as a column of
 * NULLs.
 */
export const USUAL = { status: 'SUCCESSFUL', exception_class_path: '', traceback: '' } as const
