import type { DataSource } from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { hexOf, instantOf, utcText } from '../../entities/formats'
import { type RawRow, valuesOf } from './row'

/** All columns of a row, whatever the class of the object. */
export type Columns = Pick<DBTaskResult, keyof DBTaskResult>

/** The row as the entity that the repository would give. */
export function dbResultOf(raw: RawRow, dataSource: DataSource): DBTaskResult {
  return Object.assign(dataSource.getRepository(DBTaskResult).create(), columnsOf(raw))
}

/** The row by the names of the entity's properties, in their order. */
export function columnsOf(raw: RawRow): Columns {
  const values = valuesOf(raw)
  const { args, kwargs } = values
  return {
    id: values.id,
    status: values.status,
    enqueuedAt: values.enqueuedAt as Date,
    startedAt: values.startedAt,
    finishedAt: values.finishedAt,
    // What somebody else wrote there in another form is shown as it is.
    argsKwargs: (json(raw.args_kwargs) ?? { args, kwargs }) as DBTaskResult['argsKwargs'],
    priority: values.priority,
    taskPath: values.taskName,
    workerIds: [...values.workerIds],
    queueName: values.queueName,
    backendName: values.backend,
    runAfter: instant(raw.run_after) as Date,
    returnValue: values.returnValue,
    exceptionClassPath: raw.exception_class_path ?? '',
    traceback: raw.traceback ?? '',
    claims: Number(raw.claims ?? 0),
    leaseUntil: instant(raw.lease_until),
    cancelRequestedAt: instant(raw.cancel_requested_at),
    uniqueKey: raw.unique_key,
    attemptErrors: json(raw.attempt_errors) as DBTaskResult['attemptErrors'],
    progress: values.progress,
    options: json(raw.options) as DBTaskResult['options'],
  }
}

/** The entity as a raw row. */
export function rawOf(entity: Columns, hexIds: boolean): RawRow {
  return {
    row_key: hexIds ? hexOf(entity.id) : entity.id,
    status: entity.status,
    args_kwargs: text(entity.argsKwargs),
    priority: entity.priority,
    task_path: entity.taskPath,
    worker_ids: text(entity.workerIds),
    queue_name: entity.queueName,
    backend_name: entity.backendName,
    run_after: instantText(entity.runAfter),
    enqueued_at: instantText(entity.enqueuedAt),
    started_at: instantText(entity.startedAt),
    finished_at: instantText(entity.finishedAt),
    return_value: text(entity.returnValue),
    exception_class_path: entity.exceptionClassPath,
    traceback: entity.traceback,
    claims: entity.claims,
    lease_until: instantText(entity.leaseUntil),
    cancel_requested_at: instantText(entity.cancelRequestedAt),
    unique_key: entity.uniqueKey,
    attempt_errors: text(entity.attemptErrors),
    progress: text(entity.progress),
    options: text(entity.options),
  }
}

function instant(text: string | null): Date | null {
  return text === null ? null : instantOf(text)
}

/** Text that is no JSON reads as null: one badly written column must not hide the others. */
function json(text: string | null): unknown {
  try {
    return text === null ? null : (JSON.parse(text) as unknown)
  } catch {
    return null
  }
}

function text(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}

/** What TypeORM could not read as an instant is none. */
function instantText(date: Date | null): string | null {
  return date instanceof Date && !Number.isNaN(date.getTime()) ? utcText(date) : null
}
