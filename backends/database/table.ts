import type { DataSource } from 'typeorm'
import { type Asked, isMariaDb } from '../../entities/database-family'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { DataSourceError } from '../../lib/errors/errors'
import { unreachable } from './connections/database-errors'
import { profileOf } from './profiles/profile-of'

/** What statements need to know about the tasks table of one DataSource. */
export interface Table {
  /** TypeORM's name of the driver. */
  readonly type: string
  /** With schema and prefix, escaped. */
  readonly path: string
  /** Its name alone, as errors show it. */
  readonly name: string
  /** Ids are 32 hex digits, since the database has no uuid type. */
  readonly hexIds: boolean
  readonly isMariaDb: boolean
}

const tables = new WeakMap<DataSource, Table>()

/**
 * The tasks table of an app's DataSource; looked up once for each. A caller that holds a connection gives it: if all of the
 * pool are held by such callers, none of them would get another.
 *
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity.
 */
export async function tableOf(dataSource: DataSource, connection?: Asked): Promise<Table> {
  assertReady(dataSource)
  const known = tables.get(dataSource)
  if (known) return known
  const table = await describe(dataSource, connection ?? dataSource)
  // All callers must have the same object: the dialect is made once for each.
  const first = tables.get(dataSource) ?? table
  tables.set(dataSource, first)
  return first
}

async function describe(dataSource: DataSource, asked: Asked): Promise<Table> {
  const { tablePath, tableName, columns } = dataSource.getMetadata(DBTaskResult)
  const path = tablePath
    .split('.')
    .map((part) => dataSource.driver.escape(part))
    .join('.')
  const hexIds = columns.find((column) => column.propertyName === 'id')?.length === '32'
  const { type } = dataSource.options
  return {
    type,
    path,
    name: tableName,
    hexIds,
    isMariaDb: profileOf(type).mayBeMariaDb && (await isOnMariaDb(asked, type)),
  }
}

/** @throws DatabaseUnreachableError */
async function isOnMariaDb(asked: Asked, type: string): Promise<boolean> {
  try {
    return await isMariaDb(asked)
  } catch (error) {
    throw unreachable(error, type)
  }
}

/** @throws DataSourceError if the DataSource is not initialised, or does not have the entity. */
export function assertReady(dataSource: DataSource): void {
  if (!dataSource.isInitialized)
    throw new DataSourceError(
      'The DataSource of TASKS is not initialised.',
      'Call `await dataSource.initialize()` before tasks are used.',
    )
  if (!dataSource.hasMetadata(DBTaskResult))
    throw new DataSourceError(
      'The DataSource of TASKS does not know the entity DBTaskResult.',
      'Add it: `entities: [DBTaskResult, …]`, with DBTaskResult from "typeorm-tasks".',
    )
}
