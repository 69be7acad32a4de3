import { exactly } from '../profiles/mysql'
import type { QueueFilter } from './dialect'
import { queueCondition } from './sql-text'

/**
 * Conditions for the names of backends, queues and tasks. They compare exactly, whatever collation the columns have: those of Django
 * have the one of their database, which may take "mail" for "Mail".
 */
export interface Names {
  readonly isBackend: string
  /** `AND …`, as `queueCondition`. */
  inQueues(filter: QueueFilter): string
  /** Whether the row is of a task among those names. */
  isTask(names: string): string
}

export const sqliteNames: Names = {
  isBackend: 'backend_name = :backendName COLLATE BINARY',
  inQueues: (filter) => queueCondition(filter, 'queue_name COLLATE BINARY'),
  isTask: (names) => `task_path COLLATE BINARY IN (${names})`,
}

export const mysqlNames: Names = {
  isBackend: `${exactly('t.backend_name')} = :backendName`,
  inQueues: (filter) => queueCondition(filter, exactly('t.queue_name')),
  isTask: (names) => `${exactly('t.task_path')} IN (${names})`,
}

/**
 * The collation stands at the values, since the planner has its statistics for the column alone. CockroachDB has no such
 * collations, and no COLLATE for them. `backend_name` is without the name of the table.
 */
export function postgresNames(type: string): Names {
  const collation = type === 'postgres' ? ' COLLATE "C"' : ''
  return {
    isBackend: `backend_name = :backendName${collation}`,
    inQueues: (filter) => queueCondition(filter, 'queue_name', collation),
    isTask: (names) => `task_path IN (${names}${collation})`,
  }
}
