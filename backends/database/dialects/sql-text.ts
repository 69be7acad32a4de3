import { type ColumnName, COLUMNS, type TableColumn } from '../../../entities/columns'
import { CANCELLED } from '../../../lib/errors/error-record'
import { INSERTED_COLUMNS } from '../new-row'
import { rawNameOf } from '../row'
import type { Part, QueueFilter } from './dialect'
import type { Statements } from './statements'

/** A cancelled row ends as cancelled and in no other way, however far its run has come. */
export const UNCANCELLED = `(t.cancel_requested_at IS NULL OR v.exception_class_path = '${CANCELLED}')`

/** Arguments of at most this size are part of a claim's answer; larger ones are read afterwards, as many as memory bears. */
export const SMALL_BYTES = 32 * 1024

/** The names of the columns that an INSERT writes. */
export const INSERTED = INSERTED_COLUMNS.map(({ name }) => name).join(', ')

/** The columns that a claim reads. */
export const CLAIM_COLUMNS: readonly TableColumn[] = COLUMNS.filter(({ inClaim }) => inClaim)

/** A select list under the names of raw rows; by default of the whole row. `read`: how the dialect reads a column. */
export function selectList(
  read: (column: TableColumn) => string,
  columns: readonly TableColumn[] = COLUMNS,
): string {
  return columns.map((column) => `${read(column)} AS ${rawNameOf(column.name)}`).join(', ')
}

/**
 * The values of a new row in the order of INSERTED: a parameter for what call and order give, a literal for what is always
 * the same. `own`: where the dialect says it otherwise; `asJson`: how it writes JSON.
 */
export function newValues(
  own: Readonly<Partial<Record<ColumnName, string>>>,
  asJson: (sql: string) => string = (sql) => sql,
): string {
  return INSERTED_COLUMNS.map(({ name, kind, whenNew }) => {
    const sql = typeof whenNew === 'object' ? literal(whenNew.is) : `:${rawNameOf(name)}`
    return own[name] ?? (kind === 'json' && sql !== 'NULL' ? asJson(sql) : sql)
  }).join(', ')
}

/**
 * The texts of `freeKey`. `isOld`: whether the row was enqueued `:every` ms ago. The conditions are looked at again: the row may
 * have been retried, or claimed, since it was read.
 */
export function freeKeyOf(path: string, isOld: string): Statements['freeKey'] {
  const free = `UPDATE ${path} SET unique_key = NULL WHERE id = :id AND unique_key = :uniqueKey`
  const finished = `${free} AND status IN ('SUCCESSFUL', 'FAILED')`
  return {
    unique: finished,
    throttle: `${finished} AND ${isOld}`,
    debounce: `${free} AND status <> 'READY'`,
  }
}

/**
 * `AND …` for the queues of a filter; the same text for filters of one form, so that it can be prepared. A table of Django's may
 * have a collation for which "mail" and "Mail" are equal: `queueName`, or `collation` after the values, makes it compare exactly.
 */
export function queueCondition(
  { queues, excludeQueues }: QueueFilter,
  queueName: string,
  collation = '',
): string {
  const only = queues === null ? '' : ` AND ${queueName} IN (:queues${collation})`
  return (
    only +
    (excludeQueues.length === 0 ? '' : ` AND ${queueName} NOT IN (:excludeQueues${collation})`)
  )
}

/** The values that `queueCondition` asks for. */
export function queueValues({ queues, excludeQueues }: QueueFilter): {
  queues: readonly string[]
  excludeQueues: readonly string[]
} {
  return { queues: queues ?? [], excludeQueues }
}

/** Without a bound there is no condition: for `:after IS NULL OR …` a database may walk from the very first row. */
export function partCondition({ after, upTo }: Part): string {
  return (after === null ? '' : ' AND id > :after') + (upTo === null ? '' : ' AND id <= :upTo')
}

/** The texts of a statement, made once for each form of a queue filter. */
export function perFilter<T>(make: (filter: QueueFilter) => T): (filter: QueueFilter) => T {
  const made = new Map<string, T>()
  return (filter) => {
    const form = queueCondition(filter, '')
    const known = made.get(form)
    if (known !== undefined) return known
    const text = make(filter)
    made.set(form, text)
    return text
  }
}

function literal(value: string | number | null): string {
  if (value === null) return 'NULL'
  return typeof value === 'number' ? String(value) : `'${value}'`
}
