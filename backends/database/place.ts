import { types } from 'node:util'
import type { DataSource, EntityManager } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import { DataSourceError, InvalidSettingsError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import type { Dialect } from './dialects/dialect'
import { dialectFor } from './dialects/dialect-for'
import { managerFor } from './ambient-transaction'
import { type Table, tableOf } from './table'

/** A DataSource, or a function that returns one: for apps that create theirs late. */
export type DataSourceOption = DataSource | (() => DataSource | Promise<DataSource>) | undefined

/** Where a backend's tasks are written, and in which SQL. */
export interface Place {
  readonly dataSource: DataSource
  readonly table: Table
  readonly dialect: Dialect
}

let fallback: DataSource | undefined
const places = new WeakMap<DataSource, Place>()

/** For backends without `OPTIONS.dataSource`; the command line sets the one of the app's file. */
export function setDefaultDataSource(dataSource: DataSource | undefined): void {
  fallback = dataSource
}

/**
 * The place that the option of the backend `alias` means; made once for each DataSource. `explicit`: the manager that was
 * given, if any.
 *
 * @throws DataSourceError if there is no DataSource, or it is not initialised, or does not have the entity.
 */
export function placeOf(
  option: DataSourceOption,
  alias: string,
  explicit?: EntityManager,
): Place | Promise<Place> {
  const given = option ?? fallback
  const known = typeof given === 'object' ? places.get(given) : undefined
  return known?.dataSource.isInitialized ? known : newPlace(option, alias, explicit)
}

async function newPlace(
  option: DataSourceOption,
  alias: string,
  explicit: EntityManager | undefined,
): Promise<Place> {
  const dataSource = await dataSourceOf(option, alias)
  const table = await tableOf(dataSource, managerFor(dataSource, explicit).queryRunner)
  const place = { dataSource, table, dialect: dialectFor(table) }
  places.set(dataSource, place)
  return place
}

/** @throws DataSourceError if there is none; InvalidSettingsError if it is something else. */
export async function dataSourceOf(option: DataSourceOption, alias: string): Promise<DataSource> {
  const found: unknown = typeof option === 'function' ? await option() : (option ?? fallback)
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

function hintFor(option: unknown, found: unknown): string {
  if (typeof option === 'function')
    return 'Let the function return the DataSource, or a promise of it.'
  return types.isPromise(found)
    ? 'Pass what it resolves to (await it), or a function that returns the promise.'
    : 'Pass `new DataSource({ … })`.'
}
