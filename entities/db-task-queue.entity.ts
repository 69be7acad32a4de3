import { Entity } from 'typeorm'
import { OneClass } from '../lib/copies/one-per-process'
import { WithColumns } from './metadata/column-options'
import { QUEUE_COLUMNS } from './queue-columns'

/** The table's name. */
export const QUEUE_TABLE_NAME = 'db_task_queue'

/**
 * A queue that is paused: workers leave its tasks alone. Written by `pauseQueue` of the backend, deleted by `resumeQueue`.
 * The table is optional: list the entity beside DBTaskResult, as `taskEntities` does, in every process that pauses queues or
 * runs workers.
 */
@OneClass('DBTaskQueue')
@Entity(QUEUE_TABLE_NAME)
@WithColumns(QUEUE_COLUMNS)
export class DBTaskQueue {
  /** The alias in TASKS of the backend. */
  backend!: string

  /** The name of the queue. */
  name!: string

  /** When it was paused, by the database's clock. */
  pausedAt!: Date

  /** When the pause ends by itself, by the database's clock; null: when somebody resumes the queue. */
  pausedUntil!: Date | null

  /** Why it was paused, in at most 200 characters; null: nobody said it. */
  pauseReason!: string | null
}
