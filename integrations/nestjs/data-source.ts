import type { ModuleRef } from '@nestjs/core'
import { DataSource } from 'typeorm'
import { DatabaseBackend } from '../../backends/database'
import { type BackendConfig, DataSourceError, DBTaskResult, type TasksSettings } from '../../index'
import { backends } from '../../lib/backend-registry'
import { isRecord } from '../../lib/errors/option-checks'

const IN_DATABASE: readonly unknown[] = [
  'typeorm-tasks/backends/database#DatabaseBackend',
  DatabaseBackend,
]

/** TASKS in which each backend in a database that names no data source has the one that the app provides. */
export function withDataSource(tasks: TasksSettings, modules: ModuleRef): TasksSettings {
  return Object.fromEntries(
    Object.entries(tasks).map(([alias, config]) => [alias, completed(alias, config, modules)]),
  )
}

function completed(alias: string, config: BackendConfig, modules: ModuleRef): BackendConfig {
  if (!isRecord(config) || !IN_DATABASE.includes(config.BACKEND)) return config
  const { OPTIONS = {} } = config
  if (!isRecord(OPTIONS) || OPTIONS['dataSource'] !== undefined) return config
  let found: DataSource | undefined
  const dataSource = (): DataSource => (found ??= provided(alias, modules))
  return { ...config, OPTIONS: { ...OPTIONS, dataSource } }
}

function provided(alias: string, modules: ModuleRef): DataSource {
  try {
    return modules.get(DataSource, { strict: false })
  } catch (cause) {
    throw new DataSourceError(
      `TASKS.${alias} has no OPTIONS.dataSource, and the app provides no DataSource.`,
      'Import TypeOrmModule.forRoot({ … }); if its data source has a name, use TasksModule.forRootAsync({ inject: [getDataSourceToken(name)], useFactory: (dataSource) => … }) and give it as OPTIONS.dataSource.',
      { cause },
    )
  }
}

/** Whatever would fail the first enqueue fails the start of the app. @throws DataSourceError */
export async function assertDataSources(): Promise<void> {
  for (const backend of backends.all()) {
    if (!(backend instanceof DatabaseBackend)) continue
    const dataSource = await backend.dataSource()
    // The app may open it later.
    if (dataSource.isInitialized && !dataSource.hasMetadata(DBTaskResult))
      throw new DataSourceError(
        `The DataSource of TASKS.${backend.alias} does not know the entity DBTaskResult.`,
        'Add it where TypeOrmModule.forRoot lists entities: `entities: [DBTaskResult, …]`; with `autoLoadEntities: true` import TypeOrmModule.forFeature([DBTaskResult]) beside TasksModule.',
      )
  }
}
