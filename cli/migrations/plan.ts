import {
  DataSource,
  TypeORMError,
  type DataSourceOptions,
  type EntityMetadata,
  type EntitySchema,
} from 'typeorm'
import { DBTaskResult, dbTaskResultSchema } from '../../entities'
import { listedOf } from '../../entities/optional'
import { DatabaseError, DataSourceError, TasksError } from '../../lib/errors/errors'
import { listedFileFault } from '../app/listed-files'
import { planForeign } from './foreign'
import { planManaged } from './managed'
import type { Plan } from './names'

/** Compares the database with the library's entities that the app lists. Ignores the app's other tables. @throws DataSourceError, DatabaseError */
export async function planMigration(app: DataSource): Promise<Plan & { tableName: string }> {
  const entities = app.isInitialized
    ? ownEntities(app)
    : await opened(quietly(app.options, app.options.entities), ownEntities)
  return await opened(quietly(app.options, entities), async (own) => {
    const metadata = taskEntity(own)
    const plan = metadata.synchronize ? planManaged(own, metadata) : planForeign(own, metadata)
    return { ...(await plan), tableName: metadata.tableName }
  })
}

/** The library's entities that a DataSource lists, so that they can be opened without those of the app. */
function ownEntities(dataSource: DataSource): (EntitySchema | (new () => object))[] {
  const { givenTableName, tableNameWithoutPrefix, synchronize } = taskEntity(dataSource)
  const tasks = dbTaskResultSchema({
    tableName: givenTableName ?? tableNameWithoutPrefix,
    managed: synchronize,
  })
  return [tasks, ...listedOf(dataSource)]
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
