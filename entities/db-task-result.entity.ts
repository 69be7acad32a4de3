import { Entity } from 'typeorm'
import { OneClass } from '../lib/copies/one-per-process'
import type { AttemptError } from '../lib/errors/history'
import type { Progress, TaskStatus } from '../lib/row/record'
import { COLUMNS } from './columns'
import { Constrained } from './indexes'
import { WithColumns } from './metadata/column-options'

/** The table's name; `dbTaskResultSchema` may set another. */
export const TABLE_NAME = 'db_task_result'

/**
 * The row of a task: its arguments, its state and its result. List it in `entities` of a DataSource, of any type;
 * its columns (COLUMNS) take the types that fit that database best.
 */
@OneClass('DBTaskResult')
@Entity(TABLE_NAME)
@Constrained(TABLE_NAME)
@WithColumns(COLUMNS)
export class DBTaskResult {
  /** The result's id: a UUID in its dashed form. */
  id!: string

  /** READY, RUNNING, FAILED or SUCCESSFUL. */
  status!: TaskStatus

  /** When the task was enqueued. */
  enqueuedAt!: Date

  /** When the last attempt began; null before the first. */
  startedAt!: Date | null

  /** When the task reached FAILED or SUCCESSFUL. */
  finishedAt!: Date | null

  /** The arguments of the call. */
  argsKwargs!: { args: unknown[]; kwargs: Record<string, unknown> }

  /** -100 to 100; higher runs first. */
  priority!: number

  /** The task's name, a dotted path. */
  taskPath!: string

  /** Ids of the workers that claimed the row, one entry per attempt. Of more than a hundred the first and the last ones. */
  workerIds!: string[]

  /** The queue of the task. */
  queueName!: string

  /** The alias in TASKS of the backend that enqueued the task. */
  backendName!: string

  /** The task does not run before this instant; 9999-01-01 UTC means no delay. */
  runAfter!: Date

  /** What a SUCCESSFUL task returned; null for nothing. */
  returnValue!: unknown

  /** The class of the error that made the task FAILED; '' for none. */
  exceptionClassPath!: string

  /** The traceback of that error; '' for none. */
  traceback!: string

  /** How often the row was claimed. Only grows; writes of a worker that holds an older number change nothing. */
  claims!: number

  /** End of the lease of the worker that claimed the row, by the database's clock. */
  leaseUntil!: Date | null

  /** When the worker that runs the task was asked to abort it. */
  cancelRequestedAt!: Date | null

  /** At most one row has this key; null: no key. */
  uniqueKey!: string | null

  /** The errors of earlier attempts, oldest first. Of many the first and the last ten, and between them an entry for those that are `omitted`. */
  attemptErrors!: AttemptError[] | null

  /** The last progress that the task reported. */
  progress!: Progress | null

  /** Options of this one enqueue that override the task's own settings. */
  options!: Record<string, unknown> | null
}
