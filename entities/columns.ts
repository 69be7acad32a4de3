import type { Column } from './metadata/column-options'

/** One column of the tasks table. */
interface TaskColumn extends Column {
  /** Not a column of Django's: nullable or with a default, so that Django can insert rows without it. */
  readonly isOurs: boolean
  /** Read by a claim: a run needs it. The others say nothing while a row runs. */
  readonly inClaim: boolean
  readonly whenNew: WhenNew
}

/**
 * The value in a new row: given by the call (`call`) or by the order that several calls share (`order`), the instant of
 * the insert (`now`), or always the same, as raw rows have it.
 */
export type WhenNew = 'call' | 'order' | 'now' | { readonly is: string | number | null }

const nullable = { nullable: true } as const
const ours = { isOurs: true } as const
const djangos = { isOurs: false } as const
const claimed = { inClaim: true } as const
const unclaimed = { inClaim: false } as const
const NULL = { is: null } as const
const EMPTY = { is: '' } as const

/**
 * The columns of the tasks table, in order. The entity, what statements select and insert, the conversions between raw rows and
 * entities, and the migration of a table that Django made are all made from this list.
 */
// prettier-ignore
export const COLUMNS = [
  { name: 'id', property: 'id', kind: 'id', fixed: { primary: true }, ...djangos, ...claimed, whenNew: 'call' },
  { name: 'status', property: 'status', kind: 'word', fixed: { length: 10 }, ...djangos, ...unclaimed, whenNew: { is: 'READY' } },
  { name: 'enqueued_at', property: 'enqueuedAt', kind: 'instant', ...djangos, ...claimed, whenNew: 'now' },
  { name: 'started_at', property: 'startedAt', kind: 'instant', fixed: nullable, ...djangos, ...claimed, whenNew: NULL },
  { name: 'finished_at', property: 'finishedAt', kind: 'instant', fixed: nullable, ...djangos, ...unclaimed, whenNew: NULL },
  { name: 'args_kwargs', property: 'argsKwargs', kind: 'json', ...djangos, ...claimed, whenNew: 'call' },
  { name: 'priority', property: 'priority', kind: 'int', ...djangos, ...claimed, whenNew: 'order' },
  { name: 'task_path', property: 'taskPath', kind: 'text', ...djangos, ...claimed, whenNew: 'order' },
  { name: 'worker_ids', property: 'workerIds', kind: 'json', ...djangos, ...claimed, whenNew: { is: '[]' } },
  { name: 'queue_name', property: 'queueName', kind: 'word', fixed: { length: 32 }, ...djangos, ...claimed, whenNew: 'order' },
  { name: 'backend_name', property: 'backendName', kind: 'word', fixed: { length: 32 }, ...djangos, ...claimed, whenNew: 'order' },
  { name: 'run_after', property: 'runAfter', kind: 'instant', ...djangos, ...claimed, whenNew: 'order' },
  { name: 'return_value', property: 'returnValue', kind: 'json', fixed: nullable, ...djangos, ...unclaimed, whenNew: NULL },
  { name: 'exception_class_path', property: 'exceptionClassPath', kind: 'text', ...djangos, ...unclaimed, whenNew: EMPTY },
  { name: 'traceback', property: 'traceback', kind: 'text', ...djangos, ...unclaimed, whenNew: EMPTY },
  { name: 'claims', property: 'claims', kind: 'int', fixed: { default: 0 }, ...ours, ...claimed, whenNew: { is: 0 } },
  { name: 'lease_until', property: 'leaseUntil', kind: 'instant', fixed: nullable, ...ours, ...unclaimed, whenNew: NULL },
  { name: 'cancel_requested_at', property: 'cancelRequestedAt', kind: 'instant', fixed: nullable, ...ours, ...unclaimed, whenNew: NULL },
  { name: 'unique_key', property: 'uniqueKey', kind: 'word', fixed: { length: 128, nullable: true }, ...ours, ...unclaimed, whenNew: 'order' },
  { name: 'attempt_errors', property: 'attemptErrors', kind: 'json', fixed: nullable, ...ours, ...claimed, whenNew: NULL },
  { name: 'progress', property: 'progress', kind: 'json', fixed: nullable, ...ours, ...claimed, whenNew: NULL },
  { name: 'options', property: 'options', kind: 'json', fixed: nullable, ...ours, ...claimed, whenNew: 'order' },
] as const satisfies readonly TaskColumn[]

/** One entry of COLUMNS, with its literal types. */
export type StoredColumn = (typeof COLUMNS)[number]
export type ColumnName = StoredColumn['name']
export type ColumnProperty = StoredColumn['property']

/** A column of the table, where its literal types do not matter. */
export interface TableColumn extends TaskColumn {
  readonly name: ColumnName
}
