import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { listedOf } from '../../../entities/optional'
import { dbTaskResultSchema } from '../../../entities/schema'
import { inTime } from '../../../lib/clock'
import type { Pool } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import { unreachable } from './database-errors'
import { bearDeaths } from './driver-connection'
import { patiently, Session } from './session'
import {
  type Sessions,
  sessionsOn,
  type SetUp,
  STATEMENT_MS,
  WorkerConnections,
} from './worker-connections'

/** The dedicated one for claims and finishes, one for renewals, and one for the other chores; the latter two when needed. */
const CONNECTIONS = 3
const CONNECT_MS = 5_000
const INITIALIZE_MS = 15_000

/** A worker's own statements, the DataSource that they run on, and how to close it. */
export interface WorkerSessions extends Sessions {
  readonly dataSource: DataSource
  close(): Promise<void>
}

/**
 * Opens a small DataSource of the worker's own, made from the app's options. Tasks that take all connections of the
 * app cannot keep the worker from its renewals, and on SQLite, where a DataSource is one connection, the worker's
 * statements do not get into a transaction that a task has open.
 */
export async function openWorkerSessions(
  app: DataSource,
  leaseSeconds: number,
  setUp?: SetUp,
): Promise<WorkerSessions> {
  if (livesInMemory(app)) return { ...onOneSession(app), close: async () => {} }
  const dataSource = await openOwn(app, CONNECTIONS)
  if (!profileOf(app.options.type).pool)
    return { ...onOneSession(dataSource), close: () => dataSource.destroy() }
  const connections = new WorkerConnections(dataSource, setUp)
  return {
    dataSource,
    ...sessionsOn(connections, leaseSeconds * 1000),
    close: () => connections.close().then(() => dataSource.destroy()),
  }
}

/** A DataSource onto the app's database, with so many connections of its own. @throws DatabaseUnreachableError */
export async function openOwn(app: DataSource, connections: number): Promise<DataSource> {
  // SQLite's first pragma waits for nobody.
  const opening = patiently(() => initialized(new DataSource(ownOptions(app, connections))))
  const own = await opening.catch((error: unknown) => {
    throw unreachable(error, app.options.type)
  })
  bearDeaths(own)
  return own
}

/** Whether the DataSource is a database in memory, which cannot be opened twice. */
export function livesInMemory({ options: { type, database } }: DataSource): boolean {
  return profileOf(type).livesInMemory(database)
}

function onOneSession(dataSource: DataSource): Sessions & { dataSource: DataSource } {
  const session = new Session(dataSource)
  return { dataSource, exchange: session, renewal: session, chore: session, walk: session }
}

/** With a limit: a server may accept the connection and never answer. */
async function initialized(dataSource: DataSource): Promise<DataSource> {
  const opening = dataSource.initialize()
  try {
    return await inTime(opening, INITIALIZE_MS)
  } catch (error) {
    void opening.then(() => dataSource.destroy()).catch(() => {})
    throw error
  }
}

function ownOptions(app: DataSource, connections: number): DataSourceOptions {
  const { pool, poolSize, workerOptions: more } = profileOf(app.options.type)
  const own = {
    ...app.options,
    ...(pool && primaryOf(app)),
    entities: [entityOf(app), ...listedOf(app)],
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    logging: false,
    cache: false,
    extra: {
      ...(pool && limitsOf(pool, app)),
      ...(app.options.extra as object | undefined),
      ...(poolSize !== undefined && { [poolSize]: connections }),
    },
    ...more,
  }
  return own as DataSourceOptions
}

/** A worker writes, so it needs no replicas; and with any, mysql2 drops a primary for good after five failures. */
function primaryOf({ options }: DataSource): object {
  if (!('replication' in options) || !options.replication) return {}
  return { ...options.replication.master, replication: undefined }
}

/** The app's table under the app's name, whether its entity is the class itself or a schema. */
function entityOf(app: DataSource): ReturnType<typeof dbTaskResultSchema> {
  const { givenTableName, tableNameWithoutPrefix, synchronize } = app.getMetadata(DBTaskResult)
  return dbTaskResultSchema({
    tableName: givenTableName ?? tableNameWithoutPrefix,
    managed: synchronize,
  })
}

/** Options that the app's own override. */
function limitsOf({ appTimeout, timeout, keepAlive }: Pool, { options }: DataSource): object {
  const isSet = Boolean((options as unknown as Record<string, unknown>)[appTimeout])
  return { ...keepAlive(STATEMENT_MS), ...(!isSet && { [timeout]: CONNECT_MS }) }
}
