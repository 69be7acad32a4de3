import { COLUMNS, type StoredColumn, type TableColumn } from '../../entities/columns'
import type { RawNameOf, RawRow } from './row'

/** New rows of one order: the values they share, and those of each call. */
export interface NewRows {
  readonly shared: SharedValues
  readonly calls: readonly NewCall[]
}

export type SharedValues = NewValues<Extract<StoredColumn, { whenNew: 'order' }>>
export type NewCall = NewValues<Extract<StoredColumn, { whenNew: 'call' }>> & {
  /** In the place of the shared one, for all calls of an INSERT or for none. */
  readonly unique_key?: string | null
}

type NewValues<C extends StoredColumn> = {
  readonly [Each in C as RawNameOf<Each>]:
    | (Each extends { kind: 'int' } ? number : string)
    | (Each extends { fixed: { nullable: true } } ? null : never)
}

/** The columns that an INSERT names. Ours are among them even if NULL: a table without them must fail at enqueue, not when its worker starts. */
export const INSERTED_COLUMNS: readonly TableColumn[] = COLUMNS.filter(
  ({ isOurs, whenNew }) => isOurs || typeof whenNew === 'string' || whenNew.is !== null,
)

/** The values that are the same in every new row. */
const WHEN_NEW = Object.fromEntries(
  COLUMNS.flatMap(({ name, whenNew }) => (typeof whenNew === 'object' ? [[name, whenNew.is]] : [])),
)

/** A row as an insert wrote it. */
export function newRow(call: NewCall, shared: SharedValues, enqueuedAt: string): RawRow {
  return { ...WHEN_NEW, ...shared, ...call, enqueued_at: enqueuedAt } as unknown as RawRow
}
