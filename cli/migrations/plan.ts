import { DataSource, TypeORMError, type DataSourceOptions, type EntityMetadata } from 'typeorm'
import { DBTaskResult, dbTaskResultSchema } from '../../entities'
import { DatabaseError, DataSourceError, TasksError } from '../../lib/errors/errors'
import { listedFileFault } from '../app/listed-files'
import { planForeign } from './foreign'
import { planManaged } from './managed'
import type { Plan } from './names'

/** Compares the database with the tasks table's entity. Ignores the app's other tables. @throws DataSourceError, DatabaseError */
export async function planMigration(app: DataSource): Promise<Plan & { tableName: string }> {
  const known = app.isInitialized
    ? taskEntity(app)
    : await opened(quietly(app.options, app.options.entities), taskEntity)
  const alone = dbTaskResultSchema({
    tableName: known.givenTableName ?? known.tableNameWithoutPrefix,
    managed: known.synchronize,
  })
  return await opened(quietly(app.options, [alone]), async (own) => {
    const metadata = taskEntity(own)
    const plan = metadata.synchronize ? planManaged(own, metadata) : planForeign(own, metadata)
    return { ...(await plan), tableName: metadata.tableName }
  })
}

function taskEntity(dataSource: DataSource): EntityMetadata {
  if (!dataSource.hasMetadata(DBTaskResult))
    throw new DataSourceError(
      'The DataSource does not know the entity DBTaskResult.',
      "Add it: `entities: [DBTaskResult, …]`, with `import { DBTaskResult } from 'typeorm-tasks'`.",
    )
  return dataSource.getMetadata(DBTaskResult)
}

/** A DataSource on the same database that changes nothing. */
export function quietly(
  options: DataSourceOptions,
  entities: DataSourceOptions['entities'],
  more: Pick<DataSourceOptions, 'migrations'> = {},
): DataSource {
  const silence = {
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    installExtensions: false,
    subscribers: [],
    migrations: [],
    logging: false,
    cache: false,
  }
  return new DataSource({
    ...options,
    ...silence,
    ...more,
    entities: entities ?? [],
  } as DataSourceOptions)
}

export async function opened<T>(
  dataSource: DataSource,
  work: (dataSource: DataSource) => T | Promise<T>,
): Promise<T> {
  await dataSource.initialize().catch(async (cause: unknown) => {
    throw (await listedFileFault(cause, dataSource.options)) ?? unopened(cause)
  })
  try {
    return await work(dataSource)
  } finally {
    await dataSource.destroy()
  }
}

/** TypeORM's errors about entities and options are clear as they are; a driver's error may be only `ECONNREFUSED`. */
function unopened(cause: unknown): unknown {
  if (cause instanceof TypeORMError || cause instanceof TasksError) return cause
  const reason =
    cause instanceof Error
      ? cause.message || ('code' in cause ? String(cause.code) : cause.name)
      : String(cause)
  return new DatabaseError(
    `The database cannot be reached: ${reason}.`,
    'Start it, or correct the options of the DataSource.',
    { cause },
  )
}
