import type { ColumnName } from '../../../../entities/columns'
import { INSERTED, newValues } from '../sql-text'
import type { InsertTexts } from '../statements'
import { inMs, instantText, rows } from './columns'

const RUN_AFTER = "(:run_after::text || '+00')::timestamptz"

/** Returned for new rows; without reading the table, so that a producer needs no more than the right to INSERT. */
const ENQUEUED_AT = `${instantText('statement_timestamp()')} AS enqueued_at`

/** `notify`: what INSERTs return besides, so that workers are notified. */
export function insertTexts(path: string, notify = ''): InsertTexts {
  return {
    insert: insertBatch(path, notify),
    insertKeyed: insertBatch(path, notify, 'unique_key'),
    insertOne: insertOne(path, notify),
    insertUnlessTaken: insertUnlessTaken(path, notify),
  }
}

function insertBatch(path: string, notify: string, ...own: 'unique_key'[]): string {
  return `WITH written AS (${insertRows(path, ...own)} RETURNING 1) SELECT ${ENQUEUED_AT}${notify}`
}

/** Notifies nobody where nothing is written. */
function insertUnlessTaken(path: string, notify: string): string {
  return `${insertSingle(path, `coalesce(${inMs(':delay')}, ${RUN_AFTER})`)} ON CONFLICT DO NOTHING RETURNING t.id::text AS row_key, t.unique_key, ${instantText('t.enqueued_at')} AS enqueued_at${notify}`
}

function insertRows(path: string, ...own: 'unique_key'[]): string {
  const names = ['args_kwargs', ...own]
  const values = Object.fromEntries(names.map((name) => [name, `v.${name}`]))
  return insertInto(path, { ...values, id: 'v.row_key' }, `FROM ${rows('row_key', ...names)}`)
}

/** A single row is not worth a list (measured: a tenth of the time without the commit). */
function insertOne(path: string, notify: string): string {
  return `${insertSingle(path)} RETURNING ${ENQUEUED_AT}${notify}`
}

function insertSingle(path: string, runAfter = RUN_AFTER): string {
  const own = { id: ':row_key::uuid', args_kwargs: ':args_kwargs::jsonb', run_after: runAfter }
  return insertInto(path, own)
}

function insertInto(
  path: string,
  own: Readonly<Partial<Record<ColumnName, string>>>,
  from = '',
): string {
  const values = newValues(
    {
      priority: ':priority::int',
      run_after: RUN_AFTER,
      ...own,
      enqueued_at: 'statement_timestamp()',
    },
    (json) => `${json}::jsonb`,
  )
  return `INSERT INTO ${path} AS t (${INSERTED}) SELECT ${values} ${from}`
}
