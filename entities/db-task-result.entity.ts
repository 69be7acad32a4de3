import { Entity } from 'typeorm'
import type { ErrorRecord } from '../lib/errors/error-record'
import type { Progress } from '../lib/record'
import type { TaskStatus } from '../lib/record'
import { Constrained } from './indexes'
import { Stored } from './columns'

/** The table's name, unless `dbTaskResultSchema` gives another. */
export const TABLE_NAME = 'db_task_result'

/**
 * A task's row: order, state and result in one. List it in `entities` of a DataSource, of any type;
 * its columns take the types that fit that database best.
 */
@Entity(TABLE_NAME)
@Constrained(TABLE_NAME)
export class DBTaskResult {
  /** The result's id: a UUID in its dashed form. */
  @Stored('id', 'id', { primary: true })
  id!: string

  /** READY, RUNNING, FAILED or SUCCESSFUL. */
  @Stored('word', 'status', { length: 10 })
  status!: TaskStatus

  /** When the task was enqueued. */
  @Stored('instant', 'enqueued_at')
  enqueuedAt!: Date

  /** When the last attempt began; null before the first. */
  @Stored('instant', 'started_at', { nullable: true })
  startedAt!: Date | null

  /** When the task reached FAILED or SUCCESSFUL. */
  @Stored('instant', 'finished_at', { nullable: true })
  finishedAt!: Date | null

  /** What the task is called with. */
  @Stored('json', 'args_kwargs')
  argsKwargs!: { args: unknown[]; kwargs: Record<string, unknown> }

  /** -100 to 100; higher runs first. */
  @Stored('int', 'priority')
  priority!: number

  /** The task's name, a dotted path. */
  @Stored('text', 'task_path')
  taskPath!: string

  /** The workers that took the row, one entry per attempt. */
  @Stored('json', 'worker_ids')
  workerIds!: string[]

  /** The queue that the row waits in. */
  @Stored('word', 'queue_name', { length: 32 })
  queueName!: string

  /** The alias in TASKS of the backend it was enqueued by. */
  @Stored('word', 'backend_name', { length: 32 })
  backendName!: string

  /** Not to run before this instant; 9999-01-01 UTC means no delay. */
  @Stored('instant', 'run_after')
  runAfter!: Date

  /** What a SUCCESSFUL task returned; null for nothing. */
  @Stored('json', 'return_value', { nullable: true })
  returnValue!: unknown

  /** The class of the error that made the task FAILED; '' for none. */
  @Stored('text', 'exception_class_path')
  exceptionClassPath!: string

  /** The traceback of that error; '' for none. */
  @Stored('text', 'traceback')
  traceback!: string

  /** How often the row was claimed. Only grows; a worker that holds an older number can write nothing any more. */
  @Stored('int', 'claims', { default: 0 })
  claims!: number

  /** Until when the worker that claimed the row holds it, by the database's clock. */
  @Stored('instant', 'lease_until', { nullable: true })
  leaseUntil!: Date | null

  /** When somebody asked the running worker to stop. */
  @Stored('instant', 'cancel_requested_at', { nullable: true })
  cancelRequestedAt!: Date | null

  /** At most one row has this key. */
  @Stored('word', 'unique_key', { length: 128, nullable: true })
  uniqueKey!: string | null

  /** The errors of earlier attempts, oldest first. */
  @Stored('json', 'attempt_errors', { nullable: true })
  attemptErrors!: ErrorRecord[] | null

  /** How far the running task says it is. */
  @Stored('json', 'progress', { nullable: true })
  progress!: Progress | null

  /** What this one enqueue asked for beyond the task's own settings. */
  @Stored('json', 'options', { nullable: true })
  options!: Record<string, unknown> | null
}
