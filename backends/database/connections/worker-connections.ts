import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { dbTaskResultSchema } from '../../../entities/schema'
import { familyOf } from '../../../entities/database-family'
import { inTime } from '../../../lib/timeout'
import { Connections } from './trusted-pool'
import { HeldConnection, type SetUp } from './dedicated-connection'
import { type Lend, Session } from './session'
import { unreachable } from './database-errors'

/** One that is held for claims and finishes; one for renewals, and one for the other chores, whenever those are at it. */
const CONNECTIONS = 3
/** So long may it take to connect, and any statement to be answered, in milliseconds. */
const CONNECTING = 5_000
const LONGEST = 10_000
const OPENING = 15_000
/** What walks over the whole table is not held to that. */
const WALK = 10 * 60_000

/** A worker's own statements by their kind, each with the time it has. */
export interface Sessions {
  /** Claims and finishes. */
  readonly exchange: Session
  readonly renewal: Session
  readonly chore: Session
  /** Pruning and counting. */
  readonly walk: Session
}

/** A DataSource for a worker's own statements, and how to be done with it. */
export interface Bookkeeping extends Sessions {
  readonly dataSource: DataSource
  close(): Promise<void>
}

/**
 * Opens a small DataSource of the worker's own, made from the app's options. Tasks that take all connections of the
 * app cannot keep the worker from its renewals, and on SQLite, where a DataSource is one connection, the worker's
 * statements do not land in a transaction that a task has open.
 */
export async function openBookkeeping(
  app: DataSource,
  leaseSeconds: number,
  setUp?: SetUp,
): Promise<Bookkeeping> {
  if (livesInMemory(app))
    return { dataSource: app, ...sameFor(new Session(app)), close: async () => {} }
  const dataSource = new DataSource(bookkeepingOptions(app))
  await initialised(dataSource)
  if (poolOf(app) === undefined)
    return { dataSource, ...sameFor(new Session(dataSource)), close: () => dataSource.destroy() }
  return pooled(dataSource, leaseSeconds * 1000, setUp)
}

/** A server that takes the connection and then falls silent is not waited for. */
async function initialised(dataSource: DataSource): Promise<void> {
  const opening = dataSource.initialize()
  try {
    await inTime(opening, OPENING)
  } catch (error) {
    void opening.then(() => dataSource.destroy()).catch(() => {})
    throw unreachable(error, dataSource.options.type)
  }
}

/**
 * The reply to a claim is worth nothing when its lease has ended. A renewal must leave room for a second one, on a
 * connection that works, before that.
 */
function pooled(dataSource: DataSource, lease: number, setUp: SetUp | undefined): Bookkeeping {
  const connections = new Connections(dataSource)
  const held = new HeldConnection(connections, setUp)
  const session = (lend: Lend): Session => new Session(dataSource, undefined, lend)
  return {
    dataSource,
    exchange: session((work) => held.use(Math.min(LONGEST, lease), work)),
    renewal: session((work) => connections.use(Math.min(LONGEST, lease / 3), work)),
    chore: session((work) => connections.use(Math.min(LONGEST, lease), work)),
    walk: session((work) => connections.use(WALK, work)),
    close: () => held.close().then(() => dataSource.destroy()),
  }
}

function sameFor(session: Session): Sessions {
  return { exchange: session, renewal: session, chore: session, walk: session }
}

function bookkeepingOptions(app: DataSource): DataSourceOptions {
  const own = {
    ...app.options,
    ...primaryOf(app),
    entities: [entityOf(app)],
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    logging: false,
    cache: false,
    extra: { ...limits(app), ...(app.options.extra as object | undefined), ...connections(app) },
    ...(familyOf(app.options.type) === 'sqlite' ? { timeout: 0 } : {}),
  }
  return own as DataSourceOptions
}

/** The worker writes, so it needs no replicas; and mysql2 gives up for good on a primary that was away five times, where there are any. */
function primaryOf({ options }: DataSource): object {
  if (!('replication' in options) || !options.replication || poolOf({ options }) === undefined)
    return {}
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

function connections(app: DataSource): object {
  const family = familyOf(app.options.type)
  return family === 'postgres'
    ? { max: CONNECTIONS }
    : family === 'mysql'
      ? { connectionLimit: CONNECTIONS }
      : {}
}

/** What the app has set itself comes before these. */
function limits({ options }: DataSource): object {
  const pool = poolOf({ options })
  if (pool === 'pg')
    return {
      keepAlive: true,
      keepAliveInitialDelayMillis: LONGEST,
      ...('connectTimeoutMS' in options && options.connectTimeoutMS
        ? {}
        : { connectionTimeoutMillis: CONNECTING }),
    }
  if (pool === 'mysql2')
    return 'connectTimeout' in options && options.connectTimeout
      ? {}
      : { connectTimeout: CONNECTING }
  return {}
}

/** The drivers whose connections can be told apart, and ended one by one. */
function poolOf({ options: { type } }: Pick<DataSource, 'options'>): 'pg' | 'mysql2' | undefined {
  if (type === 'postgres' || type === 'cockroachdb') return 'pg'
  return type === 'mysql' || type === 'mariadb' ? 'mysql2' : undefined
}

/** A database in memory cannot be opened twice. */
export function livesInMemory(app: DataSource): boolean {
  return (
    app.options.type === 'sqljs' ||
    app.options.database === ':memory:' ||
    app.options.database === ''
  )
}
