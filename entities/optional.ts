import type { DataSource } from 'typeorm'
import { DBTaskQueue } from './db-task-queue.entity'
import { DBTaskWorker } from './db-task-worker.entity'

/** The entities that an app may leave out. */
export const OPTIONAL_ENTITIES = [DBTaskWorker, DBTaskQueue] as const

/** Those of them that the DataSource lists. */
export function listedOf(dataSource: DataSource): (typeof OPTIONAL_ENTITIES)[number][] {
  return OPTIONAL_ENTITIES.filter((entity) => dataSource.hasMetadata(entity))
}
