import { Entity } from 'typeorm'
import { OneClass } from '../lib/copies/one-per-process'
import { WithColumns } from './metadata/column-options'
import { WORKER_COLUMNS } from './worker-columns'

/** The table's name. */
export const WORKER_TABLE_NAME = 'db_task_worker'

/**
 * The record of a worker that is at work, or was lost: written at its start, renewed by each heartbeat, deleted when it ends.
 * The table is optional: list the entity beside DBTaskResult, as `taskEntities` does, in every process that runs workers.
 */
@OneClass('DBTaskWorker')
@Entity(WORKER_TABLE_NAME)
@WithColumns(WORKER_COLUMNS)
export class DBTaskWorker {
  /** The worker's id, as in `workerIds` of its tasks. After an id that was given, and not made at random, `/` and eight random letters and digits follow. */
  id!: string

  /** The alias in TASKS of the backend that it serves. */
  backend!: string

  /** The name of its machine. */
  host!: string

  /** Its process there. */
  pid!: number

  /** The version of typeorm-tasks that it runs. */
  version!: string

  /** The queues that it serves; `['*']`: all. After `'*'` those that it leaves alone, each with a `-` before its name. */
  queues!: string[]

  /** The most tasks that it runs at a time. */
  concurrency!: number

  /** How many tasks ran at its last heartbeat. */
  running!: number

  /** When it started, by the database's clock. */
  startedAt!: Date

  /** Its last heartbeat, by the database's clock. */
  seenAt!: Date

  /** Milliseconds that its leases last. A worker that was not seen for so long is gone. */
  leaseMs!: number

  /** The 99th percentile, in ms, of how late its event loop was since the heartbeat before. */
  eventLoopDelayMs!: number

  /** The memory of its process, in MiB. */
  rssMib!: number
}
