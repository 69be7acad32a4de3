import { dirname, join } from 'node:path'
import { DataSource, type DataSourceOptions, EntitySchema, TypeORMError } from 'typeorm'
import { DBTaskResult, taskEntities } from '../../entities'
import { DataSourceError, TasksError, UsageError } from '../../lib/errors/errors'
import type { AppInDatabase } from '../app/load-app'
import { migrationsFolder } from '../migrations/folder'
import { makemigrations, type MakemigrationsOptions } from '../migrations/makemigrations'
import { migrationsIn } from '../migrations/pending'
import { folderFor, unwritable } from './write'

/**
 * What became of the migration: it must be applied (`waiting`), is not needed (`done`), is the reader's to write unless the table
 * is there (`yours`), or could not be written and the reader knows why (`failed`).
 */
export type MigrationState = 'waiting' | 'done' | 'yours' | 'failed'

/** A column of the tasks table, whatever the app calls the table. */
const OWN_COLUMN = 'lease_until'

type Wish = Required<Pick<MakemigrationsOptions, 'print' | 'dryRun'>>

/** Refuses a file where the folder of migrations is to be. @throws LoadError */
export function assertMigrationsFolder(app: AppInDatabase): void {
  const { synchronize, migrations } = app.dataSource.options
  if (synchronize) return
  try {
    folderFor(join(migrationsFolder({ ...app, migrations }).path, 'x'))
  } catch (error) {
    // Of several folders the reader chooses one.
    if (!(error instanceof UsageError)) throw error
  }
}

/** Writes the migration of the tasks table, as makemigrations does, also before the data source lists its entities. */
export async function writeMigration(
  app: AppInDatabase,
  { print, dryRun }: Wish,
): Promise<MigrationState> {
  const { synchronize, migrations } = app.dataSource.options
  if (synchronize) {
    print(
      'No migration is written: the DataSource has `synchronize: true`, which makes the tables.',
    )
    return 'done'
  }
  let known = 0
  try {
    const { path: folder } = migrationsFolder({ ...app, migrations })
    known = migrationsIn(folder, OWN_COLUMN).length
    await makemigrations({
      app: { ...app, dataSource: withEntities(app.dataSource) },
      print,
      dryRun,
    })
    return migrationsIn(folder, OWN_COLUMN).length > known ? 'waiting' : 'done'
  } catch (error) {
    return stateAfter(error, known > 0, print)
  }
}

/** @throws what is not about the app's database and migrations */
function stateAfter(error: unknown, isThere: boolean, print: Wish['print']): MigrationState {
  if (!(error instanceof Error)) throw error
  if ('syscall' in error && 'path' in error)
    throw unwritable(String(error.path), dirname(String(error.path)), error)
  // Several folders: only the reader knows which. Whether the tables are there is found by the check.
  if (error instanceof UsageError) {
    print(
      `No migration is written. ${error.what} Write it: npx tasks makemigrations --outdir path/to/migrations`,
    )
    return 'yours'
  }
  if (error instanceof DataSourceError && isThere) {
    print(error.message)
    return 'waiting'
  }
  if (!(error instanceof TasksError || error instanceof TypeORMError)) throw error
  print(`No migration is written. ${error.message}`)
  return 'failed'
}

/** Whether the data source lists the entity of the tasks table, itself or as a schema of it. */
export function listsTasks({ options }: DataSource): boolean {
  return Object.values(options.entities ?? []).some(
    (entity) =>
      entity === DBTaskResult ||
      (entity instanceof EntitySchema && entity.options.target === DBTaskResult),
  )
}

/** The same data source, as it will be once its file lists the entities. */
function withEntities(dataSource: DataSource): DataSource {
  const { options } = dataSource
  const more = listsTasks(dataSource) ? [] : taskEntities
  const entities = [...Object.values(options.entities ?? []), ...more]
  return new DataSource({ ...options, entities } as DataSourceOptions)
}
