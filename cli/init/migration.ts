import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult, taskEntities } from '../../entities'
import { DatabaseError, DataSourceError } from '../../lib/errors/errors'
import type { App } from '../app/load-app'
import { migrationsFolder } from '../migrations/folder'
import { makemigrations, type MakemigrationsOptions } from '../migrations/makemigrations'
import { migrationsIn } from '../migrations/pending'

/**
 * What became of the migration: it must be applied (`waiting`), is not needed (`done`), or could not be written and the reader
 * knows why (`failed`).
 */
export type MigrationState = 'waiting' | 'done' | 'failed'

/** Part of the table's name, whatever prefix the app gives to tables. */
const TABLE = 'db_task_result'

/** Writes the migration of the tasks table, as makemigrations does, also before the data source lists its entities. */
export async function writeMigration(
  app: App,
  { print, dryRun }: Required<Pick<MakemigrationsOptions, 'print' | 'dryRun'>>,
): Promise<MigrationState> {
  if (app.dataSource.options.synchronize) {
    print(
      'No migration is written: the DataSource has `synchronize: true`, which makes the tables.',
    )
    return 'done'
  }
  const { path: folder } = migrationsFolder({
    ...app,
    migrations: app.dataSource.options.migrations,
  })
  const before = migrationsIn(folder, TABLE).length
  try {
    await makemigrations({
      app: { ...app, dataSource: withEntities(app.dataSource) },
      print,
      dryRun,
    })
  } catch (error) {
    if (!(error instanceof DataSourceError || error instanceof DatabaseError)) throw error
    print(before > 0 ? error.message : `No migration is written. ${error.message}`)
    return before > 0 && error instanceof DataSourceError ? 'waiting' : 'failed'
  }
  return migrationsIn(folder, TABLE).length > before ? 'waiting' : 'done'
}

/** The same data source, as it will be once its file lists the entities. */
function withEntities({ options }: DataSource): DataSource {
  const entities = Object.values(options.entities ?? [])
  if (entities.includes(DBTaskResult)) return new DataSource(options)
  return new DataSource({
    ...options,
    entities: [...entities, ...taskEntities],
  } as DataSourceOptions)
}
