import { type DataSource, In } from 'typeorm'
import { DatabaseBackend } from '../backends/database'
import { onTable } from '../backends/database/browse'
import { DBTaskResult } from '../entities/db-task-result.entity'
import type { TaskStatus } from '../lib/record'
import { backends } from '../lib/backend-registry'
import type { App } from './app/load-app'
import { backendOf } from './backend-option'

export { retryFailed, rowOf } from '../backends/database/browse'

export interface ListWish {
  readonly limit: number
  /** null: all. */
  readonly queues: readonly string[] | null
  readonly status?: TaskStatus
  readonly backend?: string
}

/** Rows, the newest first. */
export async function listResults(
  dataSource: DataSource,
  { limit, queues, status, backend }: ListWish,
): Promise<DBTaskResult[]> {
  const where = {
    ...(status ? { status } : {}),
    ...(queues ? { queueName: In(queues) } : {}),
    ...(backend ? { backendName: backend } : {}),
  }
  return onTable(dataSource, () =>
    dataSource
      .getRepository(DBTaskResult)
      .find({ where, take: limit, order: newestFirst(dataSource) }),
  )
}

/** Where the rows are: in the given backend's DataSource, or that of the first backend which has one. */
export async function dataSourceOfResults(
  app: App,
  alias: string | undefined,
): Promise<DataSource> {
  const candidates = alias === undefined ? backends.all() : [backendOf(alias)]
  const found = candidates.find((backend) => backend instanceof DatabaseBackend)
  return found ? found.dataSource() : app.dataSource
}

/** Asks that a task does not run, or stops; gives the row as it stands then. */
export async function cancelResult({ id, backendName }: DBTaskResult): Promise<DBTaskResult> {
  const result = await backendOf(backendName).getResult(id)
  return (await result.cancel()).dbResult as DBTaskResult
}

/** Our ids are in the order of time, so this needs no sort; those in a table that Django made may not be. */
function newestFirst(dataSource: DataSource): { enqueuedAt?: 'DESC'; id: 'DESC' } {
  const { synchronize } = dataSource.getMetadata(DBTaskResult)
  return synchronize ? { id: 'DESC' } : { enqueuedAt: 'DESC', id: 'DESC' }
}
