import type { Answer } from '../connections/statement'
import type { NewRows } from '../new-row'
import type { InsertOptions } from './dialect'

/** Rows by their keys, all of one shape. */
export type Batch = readonly Readonly<{ row_key: string }>[]

/** The instant of the insert by key, where the INSERT returned a record for each row it wrote. */
export function enqueuedAtByKey(
  records: Answer['records'],
  { shared }: NewRows,
  { idsAreNew }: InsertOptions,
): (key: string) => string | undefined {
  // MySQL skips a row whose id is taken like one whose unique key is, and returns the row that has the id. A row with a new
  // id is the one just written, even if it has finished since, and so has its key no more.
  const written = records.filter(
    (record) => idsAreNew || record['unique_key'] === shared.unique_key,
  )
  const times = new Map(written.map((record) => [keyOf(record), String(record['enqueued_at'])]))
  return (key) => times.get(key)
}

/** The rows of a renewal that are still held, and whether each was asked to stop. */
export function heldOf({ records }: Answer): ReadonlyMap<string, boolean> {
  return new Map(records.map((record) => [keyOf(record), isTrue(record['cancelled'])]))
}

export function keysOf({ records }: Answer): ReadonlySet<string> {
  return new Set(records.map(keyOf))
}

/** A condition as drivers return it: true, 1, or on MySQL the text '1' where an app lets its driver read numbers as text. */
function isTrue(value: unknown): boolean {
  return Number(value) === 1
}

export function keyOf(record: Record<string, unknown>): string {
  return String(record['row_key'])
}
