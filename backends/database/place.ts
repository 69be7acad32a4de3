import { types } from 'node:util'
import type { DataSource, EntityManager } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import { watchBuilding } from '../../entities/metadata-hook'
import { onePerProcess } from '../../lib/copies/one-per-process'
import { DataSourceError, InvalidSettingsError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import { managerFor } from './ambient-transaction'
import { type LentPath, lentPathOf } from './connections/lent-path'
import { type Database, databaseOf, openOne, useForTasks } from './connections/same-database'
import type { Dialect } from './dialects/dialect'
import { dialectFor } from './dialects/dialect-for'
import { type Table, tableOf } from './table'

/**
 * A DataSource, or a function that returns one, for apps that create theirs late. A function is called at each use; once it
 * has returned a promise, only after that was rejected, or its DataSource was destroyed.
 */
export type DataSourceOption = DataSource | (() => DataSource | Promise<DataSource>) | undefined

/** Where a backend's tasks are written, and in which SQL. */
export interface Place {
  readonly dataSource: DataSource
  readonly table: Table
  readonly dialect: Dialect
  readonly database: Database
}

/** A place, and the manager whose transaction is to be joined there. */
export interface JoinedPlace {
  readonly place: Place
  readonly manager: EntityManager
}

const fallback = onePerProcess(
  'default data source',
  (): { dataSource?: DataSource | undefined } => ({}),
)
const places = new WeakMap<DataSource, Place>()

/** For backends without `OPTIONS.dataSource`; the command line sets the one of the app's file. */
export function setDefaultDataSource(dataSource: DataSource | undefined): void {
  fallback.dataSource = dataSource
}

/**
 * Makes a DataSource known before it is initialised: it may be of another copy of TypeORM, or never be opened itself.
 *
 * @throws InvalidSettingsError for a class.
 */
export function expectDataSource(option: DataSourceOption, alias: string): void {
  if (isClass(option))
    throw new InvalidSettingsError(
      `TASKS.${alias}.OPTIONS.dataSource: expected a DataSource, got the class ${option.name}.`,
      'Pass an instance of it, `new DataSource({ … })`, or a function that returns one.',
    )
  if (!isDataSource(option)) return
  watchBuilding(option)
  useForTasks(option)
}

/**
 * The place that the option of the backend `alias` means; made once for each DataSource.
 *
 * @throws DataSourceError if there is no DataSource, or it is not initialised, or does not have the entity.
 */
export async function placeOf(option: DataSourceOption, alias: string): Promise<Place> {
  const dataSource = openOne(await dataSourceOf(option, alias))
  return knownPlace(dataSource) ?? newPlace(dataSource)
}

/**
 * The same, as a caller sees it who has given a manager (`explicit`), or is in a transaction: they may be of another
 * DataSource onto the same table. Not async, since most places are known.
 *
 * @throws InvalidTaskError if the manager is of another database or table, or its transaction is over.
 */
export function joinedPlaceOf(
  option: DataSourceOption,
  alias: string,
  explicit?: EntityManager,
): JoinedPlace | Promise<JoinedPlace> {
  const given = option ?? fallback.dataSource
  // One that is known was looked at before.
  return typeof given === 'object' && (knownPlace(given) || isDataSource(given))
    ? joinedPlace(given, explicit)
    : dataSourceOf(option, alias).then((found) => joinedPlace(found, explicit))
}

function joinedPlace(
  dataSource: DataSource,
  explicit: EntityManager | undefined,
): JoinedPlace | Promise<JoinedPlace> {
  const open = dataSource.isInitialized ? dataSource : openOne(dataSource)
  const manager = managerFor(open, explicit)
  const known = knownPlace(manager.connection)
  const pathOn = lentPathOf(manager.queryRunner)
  if (known && !pathOn) return { place: known, manager }
  return lentPlace(known ?? newPlace(manager.connection, manager), pathOn).then((place) => ({
    place,
    manager,
  }))
}

const lentPlaces = new WeakMap<Place, Map<string, Place>>()

/** The place as statements on a client of other code name it. */
async function lentPlace(
  made: Place | Promise<Place>,
  pathOn: LentPath | undefined,
): Promise<Place> {
  const place = await made
  const path = await pathOn?.(place.table.path)
  if (path === undefined || path === place.table.path) return place
  const known = lentPlaces.get(place) ?? new Map<string, Place>()
  lentPlaces.set(place, known)
  const table = { ...place.table, path }
  const lent = known.get(path) ?? { ...place, table, dialect: dialectFor(table) }
  known.set(path, lent)
  return lent
}

function knownPlace(dataSource: DataSource): Place | undefined {
  return dataSource.isInitialized ? places.get(dataSource) : undefined
}

async function newPlace(dataSource: DataSource, manager?: EntityManager): Promise<Place> {
  const table = await tableOf(dataSource, manager?.queryRunner)
  const dialect = dialectFor(table)
  const place = { dataSource, table, dialect, database: databaseOf(dataSource) }
  places.set(dataSource, place)
  useForTasks(dataSource)
  return place
}

/** @throws DataSourceError if there is none; InvalidSettingsError if it is something else. */
export async function dataSourceOf(option: DataSourceOption, alias: string): Promise<DataSource> {
  const found: unknown =
    typeof option === 'function' ? await given(option) : (option ?? fallback.dataSource)
  if (found === undefined && typeof option !== 'function')
    throw new DataSourceError(
      `TASKS.${alias}.OPTIONS has no dataSource.`,
      'Add it: OPTIONS: { dataSource }.',
    )
  if (!isDataSource(found))
    throw new InvalidSettingsError(
      `TASKS.${alias}.OPTIONS.dataSource: expected a DataSource, got ${shown(found)}${typeof option === 'function' ? ' from the function' : ''}.`,
      hintFor(option, found),
    )
  return found
}

type Factory = Extract<DataSourceOption, (...none: never[]) => unknown>

/** What functions have promised, and what came of it. */
const promised = new WeakMap<Factory, Promised>()

interface Promised {
  readonly pending: Promise<unknown>
  known?: DataSource
}

/** What the function gives now, or has promised before: one that opens a DataSource would make a pool for each enqueue. */
async function given(factory: Factory): Promise<unknown> {
  const before = promised.get(factory)
  if (before && (!before.known || before.known.isInitialized)) return before.pending
  const found: unknown = factory()
  if (!types.isPromise(found)) return found
  const promise: Promised = { pending: found }
  promised.set(factory, promise)
  try {
    const dataSource = await found
    if (isDataSource(dataSource)) promise.known = dataSource
    else promised.delete(factory)
    return dataSource
  } catch (error) {
    promised.delete(factory)
    throw error
  }
}

function isClass(option: unknown): option is { readonly name: string } {
  return typeof option === 'function' && /^class\b/.test(Function.prototype.toString.call(option))
}

function hintFor(option: unknown, found: unknown): string {
  if (typeof option === 'function')
    return 'Let the function return the DataSource, or a promise of it.'
  return types.isPromise(found)
    ? 'Pass what it resolves to (await it), or a function that returns the promise.'
    : 'Pass `new DataSource({ … })`.'
}
