import type { DataSource } from 'typeorm'
import { DBTaskWorker } from '../../../entities/db-task-worker.entity'
import { NotSupportedError } from '../../../lib/errors/errors'
import { explained } from '../connections/database-errors'
import { Session } from '../connections/session'
import { dialectFor } from '../dialects/dialect-for'
import { tableOf } from '../table'

/** A worker, and how long ago it was seen by the database's clock. */
export interface SeenWorker {
  readonly worker: DBTaskWorker
  readonly agoMs: number
  /** It was not seen for a whole lease. */
  readonly isGone: boolean
}

/**
 * The workers that have a record in the table of a DataSource, in the order in which they started; `backend`: only those of
 * that alias.
 *
 * @throws NotSupportedError if the DataSource does not list the table; DataSourceError if that does not exist.
 */
export async function listWorkers(dataSource: DataSource, backend?: string): Promise<SeenWorker[]> {
  const table = await tableOf(dataSource)
  const { workers } = table
  if (!workers)
    throw new NotSupportedError(
      'The DataSource does not list the entity DBTaskWorker, so workers have no records.',
      'Add it: `entities: [User, ...taskEntities]`, with `taskEntities` from "typeorm-tasks"; then run `npx tasks makemigrations` and the migration.',
    )
  try {
    const ages = await dialectFor(table).workerRecords(workers.path).ages(new Session(dataSource))
    const found = await dataSource.getRepository(DBTaskWorker).find({
      where: backend === undefined ? {} : { backend },
      order: { startedAt: 'ASC', id: 'ASC' },
    })
    return found.map((worker) => {
      // One that was written between the two statements was just seen.
      const agoMs = ages.get(worker.id) ?? 0
      return { worker, agoMs, isGone: agoMs > worker.leaseMs }
    })
  } catch (error) {
    throw explained(error, workers.name)
  }
}
