import type { DataSource } from 'typeorm'
import { type Asked, isDataSource } from '../../entities/database-family'
import { DBTaskQueue } from '../../entities/db-task-queue.entity'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { DBTaskWorker } from '../../entities/db-task-worker.entity'
import { DatabaseError, DataSourceError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import { explained, unreachable } from './connections/database-errors'
import { isMariaDb, packetOf } from './profiles/mysql-settings'
import { profileOf } from './profiles/profile-of'
import { settingsOf, wrongSettings } from './profiles/settings'

/** What statements need to know about the tasks table of one DataSource. */
export interface Table {
  /** TypeORM's name of the driver. */
  readonly type: string
  /** With schema and prefix, escaped. */
  readonly path: string
  /** Its name alone, as errors show it. */
  readonly name: string
  /** The table of workers, if the DataSource lists its entity. */
  readonly workers?: NamedTable | undefined
  /** The table of queues, if the DataSource lists its entity. */
  readonly queues?: NamedTable | undefined
  /** Ids are 32 hex digits, since the database has no uuid type. */
  readonly hexIds: boolean
  readonly isMariaDb: boolean
  /** The largest packet that the server takes, in bytes; undefined where there is no such limit. */
  readonly packet?: number | undefined
  /** The port at which the server listens on its own host, where a connection may be by a socket instead. */
  readonly port?: string | undefined
}

export interface NamedTable {
  /** With schema and prefix, escaped. */
  readonly path: string
  /** Its name alone, as errors show it. */
  readonly name: string
}

const tables = new WeakMap<DataSource, Table>()

/**
 * The tasks table of an app's DataSource; looked up once for each. A caller that holds a connection gives it: if all of the
 * pool are held by such callers, none of them would get another.
 *
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity; DatabaseError if the server is set
 * so that not even an enqueue can work.
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

/** The path of the table of an entity, escaped. `home`: the schema or the database to name in it, if it names none. */
export function pathOf(
  dataSource: DataSource,
  home?: string,
  entity: new () => object = DBTaskResult,
): string {
  const { tablePath } = dataSource.getMetadata(entity)
  const parts = tablePath.split('.')
  return [...(home !== undefined && parts.length === 1 ? [home] : []), ...parts]
    .map((part) => dataSource.driver.escape(part))
    .join('.')
}

async function describe(dataSource: DataSource, asked: Asked): Promise<Table> {
  const { columns } = dataSource.getMetadata(DBTaskResult)
  const hexIds = columns.find((column) => column.propertyName === 'id')?.length === '32'
  const { type } = dataSource.options
  const named = namedTable(dataSource, DBTaskResult)
  return {
    type,
    ...named,
    workers: listedTable(dataSource, DBTaskWorker),
    queues: listedTable(dataSource, DBTaskQueue),
    hexIds,
    ...(await productOf(asked, type, named.name)),
  }
}

function listedTable(dataSource: DataSource, entity: new () => object): NamedTable | undefined {
  return dataSource.hasMetadata(entity) ? namedTable(dataSource, entity) : undefined
}

function namedTable(dataSource: DataSource, entity: new () => object): NamedTable {
  const { tableName } = dataSource.getMetadata(entity)
  return { path: pathOf(dataSource, undefined, entity), name: tableName }
}

/** @throws DatabaseUnreachableError, or DatabaseError if the server is set so that not even an enqueue can work */
async function productOf(
  asked: Asked,
  type: string,
  name: string,
): Promise<Pick<Table, 'isMariaDb' | 'packet' | 'port'>> {
  const { mayBeMariaDb, server } = profileOf(type)
  if (!mayBeMariaDb || !server?.settings) return { isMariaDb: false, packet: undefined }
  try {
    const values = await settingsOf(asked, server.settings)
    const wrong = wrongSettings(values, server.settings).find(({ stops }) => stops === 'all')
    if (wrong) throw new DatabaseError(wrong.message, wrong.hint)
    return {
      isMariaDb: isMariaDb(values),
      packet: packetOf(values),
      port: values.get('port'),
    }
  } catch (error) {
    throw unreachable(explained(error, name), type)
  }
}

/** @throws DataSourceError if it is no DataSource, is not initialised, or does not have the entity. */
export function assertReady(dataSource: DataSource): void {
  if (!isDataSource(dataSource))
    throw new DataSourceError(
      `Expected the DataSource of TASKS, got ${shown(dataSource)}.`,
      'Pass the DataSource itself; one that a promise gives must be awaited first.',
    )
  if (!dataSource.isInitialized)
    throw new DataSourceError(
      'The DataSource of TASKS is not initialised.',
      'Call `await dataSource.initialize()` before tasks are used. If your framework makes a DataSource of its own, as Nest does, give that one to configureTasks.',
    )
  if (!dataSource.hasMetadata(DBTaskResult))
    throw new DataSourceError(
      'The DataSource of TASKS does not know the entity DBTaskResult.',
      'Add it: `entities: [DBTaskResult, …]`, with DBTaskResult from "typeorm-tasks".',
    )
}
