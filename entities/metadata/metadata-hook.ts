import { AsyncLocalStorage } from 'node:async_hooks'
import { DataSource } from 'typeorm'
import { onePerProcess } from '../../lib/copies/one-per-process'
import { DataSourceError } from '../../lib/errors/errors'
import { withFixedNames } from './column-names'
import { familyOf, type Family, isMariaDb } from '../database-family'
import { textOr } from '../formats'

/** What column types depend on: the DataSource whose metadata is being built, and its server. */
export interface Built {
  readonly dataSource: DataSource
  readonly family: Family
  /** MariaDB 10.7 and later has a uuid type; MySQL has none, though TypeORM may call both `mysql`. */
  readonly mariaDbUuid: boolean
  /** How the driver reads values that are not text in the database; set after the build if `asksDriver` is set. */
  driver: DriverReads
  /** Set by columns that need to know `driver`. */
  asksDriver: boolean
}

/** An app may have changed how its driver reads: by options, by a `typeCast`, by a parser for a type. */
export interface DriverReads {
  /** JSON columns come parsed. */
  readonly parsedJson: boolean
  /** JSON in columns of long text comes parsed, too: apps do that for MariaDB, which has no type for JSON. */
  readonly parsedTexts: boolean
  /** Instants come as text. */
  readonly textInstants: boolean
}

/** The DataSource that is building its metadata right now, if any. */
export function beingBuilt(): Built | undefined {
  return building.store.getStore()
}

const building = onePerProcess('metadata', () => ({
  store: new AsyncLocalStorage<Built>(),
  underWay: 0,
  /** What has the wrapped method. */
  prototypes: new WeakSet<object>(),
}))

/** The classes whose columns are ours. */
export const ourTargets = onePerProcess('targets', () => new Set<unknown>())

watchBuilding(DataSource.prototype)

/**
 * TypeORM does not pass the DataSource to column types, but reads them again for each DataSource.
 * So types are getters, and the one method that reads them is wrapped. An async store and not a variable:
 * apps initialise several DataSources at once. Once for each copy of TypeORM: bundlers put one into each chunk.
 */
export function watchBuilding(dataSource: DataSource): void {
  const prototype = ownerOf(dataSource)
  if (building.prototypes.has(prototype)) return
  building.prototypes.add(prototype)
  const build = prototype.buildMetadatas
  if (typeof build !== 'function')
    throw new DataSourceError(
      'This version of TypeORM has no DataSource.buildMetadatas.',
      'Use a version of TypeORM that typeorm-tasks names in its peerDependencies.',
    )
  prototype.buildMetadatas = async function () {
    const built = await lookAt(this)
    building.underWay++
    try {
      await building.store.run(built, () => withFixedNames(this, () => build.call(this)))
    } finally {
      // While a store is in use Node follows every promise of the process (measured: 3 % of a busy worker's time).
      if (--building.underWay === 0) building.store.disable()
    }
    if (built.asksDriver) built.driver = await driverReads(this, built.family)
  }
}

interface Builder {
  buildMetadatas?: (this: DataSource) => Promise<void>
}

/** The class's prototype that has the method: an app may have made a class of its own from DataSource. */
function ownerOf(dataSource: DataSource): Builder {
  let owner: object | null = dataSource
  while (owner && !Object.hasOwn(owner, 'buildMetadatas'))
    owner = Object.getPrototypeOf(owner) as object | null
  return owner ?? {}
}

async function lookAt(dataSource: DataSource): Promise<Built> {
  const { type } = dataSource.options
  const mariaDb =
    type === 'mariadb' ||
    // MySQL itself is not asked, before its version 10.3.
    (type === 'mysql' && isVersion(dataSource, 10, 3) && (await isMariaDb(dataSource)))
  const mariaDbUuid = mariaDb && isVersion(dataSource, 10, 7)
  if (mariaDb && type === 'mysql') teachMariaDb(dataSource)
  return {
    dataSource,
    family: familyOf(type),
    mariaDbUuid,
    driver: { parsedJson: false, parsedTexts: false, textInstants: false },
    asksDriver: false,
  }
}

/** Whether the server's version is at least this. */
function isVersion({ driver }: DataSource, wantedMajor: number, wantedMinor: number): boolean {
  const [major = 0, minor = 0] = (driver.version ?? '').split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/**
 * Under the type `mysql` TypeORM is wrong about MariaDB in two ways: it turns uuid into varchar(36), and takes the default
 * NULL that MariaDB reports for nullable columns for a change. Both are corrected for our columns; the app's own stay as they are.
 */
function teachMariaDb({ driver }: DataSource): void {
  const normalizeType = driver.normalizeType.bind(driver)
  const normalizeDefault = driver.normalizeDefault.bind(driver)
  driver.normalizeType = (column) =>
    column.type === 'uuid' && isOurs(column) ? 'uuid' : normalizeType(column)
  driver.normalizeDefault = (column) =>
    normalizeDefault(column) ?? (column.isNullable && isOurs(column) ? 'NULL' : undefined)
}

function isOurs(column: object): boolean {
  return 'target' in column && ourTargets.has(column.target)
}

/** Values of each family that a driver may read in several ways. */
const PROBES: Readonly<Partial<Record<Family, string>>> = {
  postgres: `SELECT '{}'::jsonb AS json, now() AS instant`,
  // ROUTINES gives no row, but makes the text as long as that of a column.
  mysql: `SELECT JSON_OBJECT() AS json, CAST('2001-02-03 04:05:06' AS DATETIME(6)) AS instant,
    (SELECT '{}' UNION ALL SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE FALSE) AS text`,
}

async function driverReads(dataSource: DataSource, family: Family): Promise<DriverReads> {
  const [row] = (await dataSource.query(PROBES[family] ?? 'SELECT 1')) as {
    json?: unknown
    instant?: unknown
    text?: unknown
  }[]
  return {
    parsedJson: typeof textOr(row?.json) !== 'string',
    parsedTexts: typeof (textOr(row?.text) ?? '') !== 'string',
    textInstants: typeof textOr(row?.instant) === 'string',
  }
}
