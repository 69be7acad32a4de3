import { AsyncLocalStorage } from 'node:async_hooks'
import type { DataSource, EntityManager } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import { DataSourceError, InvalidSettingsError, InvalidTaskError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import type { Dialect } from './dialects/dialect'
import { dialectFor } from './dialects/dialect-for'
import { assertReady, type Table, tableOf } from './table'

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
/** By DataSource the manager of the transaction that enqueues join. */
const ambient = new AsyncLocalStorage<ReadonlyMap<DataSource, EntityManager>>()

/** For backends without `OPTIONS.dataSource`; the command line sets the one of the app's file. */
export function setDefaultDataSource(dataSource: DataSource | undefined): void {
  fallback = dataSource
}

/**
 * The place that the option of the backend `alias` means; made once for each DataSource.
 *
 * @throws DataSourceError if there is no DataSource, or it is not initialised, or does not have the entity.
 */
export function placeOf(option: DataSourceOption, alias: string): Place | Promise<Place> {
  const given = option ?? fallback
  const known = typeof given === 'object' ? places.get(given) : undefined
  return known?.dataSource.isInitialized ? known : newPlace(option, alias)
}

async function newPlace(option: DataSourceOption, alias: string): Promise<Place> {
  const dataSource = await dataSourceOf(option, alias)
  const table = await tableOf(dataSource)
  const place = { dataSource, table, dialect: dialectFor(table) }
  places.set(dataSource, place)
  return place
}

/** @throws DataSourceError if there is none; InvalidSettingsError if it is something else. */
export async function dataSourceOf(option: DataSourceOption, alias: string): Promise<DataSource> {
  const found: unknown = typeof option === 'function' ? await option() : (option ?? fallback)
  if (found === undefined)
    throw new DataSourceError(
      `TASKS.${alias}.OPTIONS has no dataSource.`,
      'Add it: OPTIONS: { dataSource }.',
    )
  if (!isDataSource(found))
    throw new InvalidSettingsError(
      `TASKS.${alias}.OPTIONS.dataSource: expected a DataSource, got ${shown(found)}.`,
      'Pass `new DataSource({ … })`.',
    )
  return found
}

/**
 * Runs `work` in a transaction that every enqueue within it joins, at any depth of calls.
 * Within another `atomic` of the same DataSource it is a savepoint.
 *
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity.
 */
export async function atomic<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  assertReady(dataSource)
  const manager = ambient.getStore()?.get(dataSource) ?? dataSource.manager
  return manager.transaction((inner) => joining(dataSource, inner, work))
}

/** Runs `work` so that every enqueue within it joins the transaction of `manager`. */
export function joining<T>(
  dataSource: DataSource,
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return ambient.run(new Map([...(ambient.getStore() ?? []), [dataSource, manager]]), () =>
    work(manager),
  )
}

/**
 * The manager whose transaction a statement joins: the given one, that of `atomic`, else `dataSource.manager`, which
 * libraries such as typeorm-transactional replace by the manager of their own transaction.
 *
 * @throws InvalidTaskError if the manager belongs to another DataSource.
 */
export function managerFor(
  dataSource: DataSource,
  explicit: EntityManager | undefined,
): EntityManager {
  if (explicit && explicit.connection !== dataSource)
    throw new InvalidTaskError(
      'The manager belongs to another DataSource than the one of TASKS.',
      'Pass the manager that `transaction(…)` of that DataSource gives.',
    )
  return explicit ?? ambient.getStore()?.get(dataSource) ?? dataSource.manager
}
