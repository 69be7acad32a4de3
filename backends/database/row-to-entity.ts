import type { DataSource } from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { instantOf } from '../../entities/formats'
import { type RawRow, valuesOf } from './row'

/** The row as the entity that the repository would give. */
export function dbResultOf(raw: RawRow, dataSource: DataSource): DBTaskResult {
  const {
    id,
    taskName,
    status,
    enqueuedAt,
    startedAt,
    finishedAt,
    args,
    kwargs,
    priority,
    queueName,
    backend,
    workerIds,
    returnValue,
    progress,
  } = valuesOf(raw)
  return Object.assign(dataSource.getRepository(DBTaskResult).create(), {
    id,
    status,
    enqueuedAt,
    startedAt,
    finishedAt,
    priority,
    queueName,
    workerIds,
    returnValue,
    progress,
    taskPath: taskName,
    argsKwargs: { args, kwargs },
    backendName: backend,
    runAfter: instant(raw.run_after),
    exceptionClassPath: raw.exception_class_path ?? '',
    traceback: raw.traceback ?? '',
    claims: Number(raw.claims ?? 0),
    leaseUntil: instant(raw.lease_until),
    cancelRequestedAt: instant(raw.cancel_requested_at),
    uniqueKey: raw.unique_key,
    attemptErrors: json(raw.attempt_errors),
    options: json(raw.options),
  })
}

function instant(text: string | null): Date | null {
  return text === null ? null : instantOf(text)
}

function json(text: string | null): unknown {
  return text === null ? null : (JSON.parse(text) as unknown)
}
