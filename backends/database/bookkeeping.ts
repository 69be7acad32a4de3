import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dbTaskResultSchema } from '../../entities/schema'
import { familyOf } from '../../entities/family'
import { unreachable } from './trouble'

/** Two: one for claims and finishes, one for renewals beside them. */
const CONNECTIONS = 2

/** A DataSource for a worker's own statements, and how to be done with it. */
export interface Bookkeeping {
  readonly dataSource: DataSource
  close(): Promise<void>
}

/**
 * Opens a small DataSource of the worker's own, made from the app's options. Tasks that take all connections of the
 * app cannot keep the worker from its renewals, and on SQLite, where a DataSource is one connection, the worker's
 * statements do not land in a transaction that a task has open.
 */
export async function openBookkeeping(app: DataSource): Promise<Bookkeeping> {
  if (livesInMemory(app)) return { dataSource: app, close: async () => {} }
  const dataSource = new DataSource(bookkeepingOptions(app))
  try {
    await dataSource.initialize()
  } catch (error) {
    throw unreachable(error, app.options.type)
  }
  return { dataSource, close: () => dataSource.destroy() }
}

function bookkeepingOptions(app: DataSource): DataSourceOptions {
  const own = {
    ...app.options,
    entities: [entityOf(app)],
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    logging: false,
    cache: false,
    extra: { ...(app.options.extra as object | undefined), ...connections(app) },
    ...(familyOf(app.options.type) === 'sqlite' ? { timeout: 0 } : {}),
  }
  return own as DataSourceOptions
}

/** The app's table under the app's name, whether its entity is the class itself or a schema. */
function entityOf(app: DataSource): ReturnType<typeof dbTaskResultSchema> {
  const { givenTableName, tableNameWithoutPrefix, synchronize } = app.getMetadata(DBTaskResult)
  return dbTaskResultSchema({ tableName: givenTableName ?? tableNameWithoutPrefix, managed: synchronize })
}

function connections(app: DataSource): object {
  const family = familyOf(app.options.type)
  return family === 'postgres' ? { max: CONNECTIONS } : family === 'mysql' ? { connectionLimit: CONNECTIONS } : {}
}

/** A database in memory cannot be opened twice. */
export function livesInMemory(app: DataSource): boolean {
  return app.options.type === 'sqljs' || app.options.database === ':memory:' || app.options.database === ''
}
