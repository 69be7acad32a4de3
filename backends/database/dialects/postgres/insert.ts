import { INSERTED, newValues } from '../sql-text'
import { inMs, instantText, rows } from './columns'

const RUN_AFTER = "(:run_after::text || '+00')::timestamptz"

/** Returned for new rows; without reading the table, so that a producer needs no more than the right to INSERT. */
const ENQUEUED_AT = `${instantText('statement_timestamp()')} AS enqueued_at`

/** `notify`: what the INSERT returns besides, so that workers are notified. */
export function insertBatch(path: string, notify = ''): string {
  return `WITH written AS (${insertRows(path)} RETURNING 1) SELECT ${ENQUEUED_AT}${notify}`
}

/** Notifies nobody where nothing is written. */
export function insertUnlessTaken(path: string, notify = ''): string {
  return `${insertSingle(path, `coalesce(${inMs(':delay')}, ${RUN_AFTER})`)} ON CONFLICT DO NOTHING RETURNING t.id::text AS row_key, t.unique_key, ${instantText('t.enqueued_at')} AS enqueued_at${notify}`
}

function insertRows(path: string): string {
  const values = { id: 'v.row_key', args_kwargs: 'v.args_kwargs' }
  return insertInto(path, values, `FROM ${rows('row_key', 'args_kwargs')}`)
}

/** A single row is not worth a list (measured: a tenth of the time without the commit). */
export function insertOne(path: string, notify = ''): string {
  return `${insertSingle(path)} RETURNING ${ENQUEUED_AT}${notify}`
}

function insertSingle(path: string, runAfter = RUN_AFTER): string {
  const own = { id: ':row_key::uuid', args_kwargs: ':args_kwargs::jsonb', run_after: runAfter }
  return insertInto(path, own)
}

function insertInto(
  path: string,
  own: Readonly<Record<'id' | 'args_kwargs', string> & { run_after?: string }>,
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
