import type { DataSource } from 'typeorm'
import { DataSourceError, InvalidSettingsError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'

/** A DataSource, or a function that gives one: for apps that make theirs late. */
export type DataSourceOption = DataSource | (() => DataSource | Promise<DataSource>) | undefined

let fallback: DataSource | undefined

/** What backends without `OPTIONS.dataSource` use; the command line sets the one of the app's file. */
export function setDefaultDataSource(dataSource: DataSource | undefined): void {
  fallback = dataSource
}

/** @throws DataSourceError if there is none. */
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

/** By its form: an app and a tool beside it may each have a copy of TypeORM. */
export function isDataSource(value: unknown): value is DataSource {
  return (
    typeof value === 'object' &&
    value !== null &&
    'options' in value &&
    'manager' in value &&
    'isInitialized' in value
  )
}
