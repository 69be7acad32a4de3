import type { Session } from '../connections/session'
import type { Values } from '../connections/statement'
import type { HeldRow } from '../row'
import { NONE } from './dialect'
import { type Batch, keysOf } from './records'

/** Statements by which a transaction keeps from waiting for rows that others have locked. Each returns keys. */
export interface LockTexts {
  /** Locks rows, and passes over those that others have locked. */
  readonly free: string
  /** The same, of rows whose lease has ended. */
  readonly expired: string
  /** Which rows there are, locked or not. */
  readonly present: string
}

/** Locks rows, for the rest of the transaction, that nobody else has locked; and says which are locked. */
export async function lockFree<Row extends HeldRow>(
  inside: Session,
  texts: LockTexts,
  rows: readonly Row[],
  valuesOf: (batch: Batch) => Values,
): Promise<{ free: readonly Row[]; locked: ReadonlySet<string> }> {
  const keys = keysOf(await inside.query(texts.free, valuesOf(heldIn(rows))))
  const rest = rows.filter((row) => !keys.has(row.row_key))
  if (rest.length === 0) return { free: rows, locked: NONE }
  // A row that is gone is not free either.
  const locked = keysOf(await inside.query(texts.present, valuesOf(heldIn(rest))))
  return { free: rows.filter((row) => keys.has(row.row_key)), locked }
}

export function heldIn(rows: readonly HeldRow[]): Batch {
  return rows.map(({ row_key, claims }) => ({ row_key, claims }))
}
