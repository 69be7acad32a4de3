import type { DataSource, EntityManager } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import { addressOf } from '../profiles/address'
import { profileOf } from '../profiles/profile-of'

/** A database, the same object for every DataSource of this process onto it. */
export interface Database {
  /** Its type and its address: no user, no password. */
  readonly name: string
  /** Those in use for tasks; weak, since hot reload leaves old ones behind. */
  readonly dataSources: Set<WeakRef<DataSource>>
}

export const databases = onePerProcess('databases', () => ({
  /** Two DataSources onto one database were used for tasks. */
  hasTwins: false,
  byName: new Map<string, Database>(),
  /** `options`: TypeORM's `setOptions` puts another object in their place. */
  of: new WeakMap<DataSource, { readonly options: object; readonly database: Database }>(),
}))

/** Bundlers and hot reload evaluate a data source file more than once, so several DataSources may be one database. */
export function databaseOf(dataSource: DataSource): Database {
  const { options } = dataSource
  const known = databases.of.get(dataSource)
  if (known?.options === options) return known.database
  const name = addressOf(options)
  // Each DataSource in memory is a database of its own.
  const isShared = !profileOf(options.type).livesInMemory(options.database)
  const database = (isShared && databases.byName.get(name)) || { name, dataSources: new Set() }
  if (isShared) databases.byName.set(name, database)
  databases.of.set(dataSource, { options, database })
  return database
}

/** Whether both have the tasks in one table of one database. Of one that is not initialised the table is not known yet. */
export function haveSameTable(one: DataSource, other: DataSource): boolean {
  if (one === other) return true
  const [mine, theirs] = [one, other].map(tablePathOf)
  return (
    databaseOf(one) === databaseOf(other) &&
    (mine === undefined || theirs === undefined || mine === theirs)
  )
}

/** As errors show it. */
export function shownTable(dataSource: DataSource): string {
  return [databaseOf(dataSource).name, tablePathOf(dataSource)].filter(Boolean).join(', table ')
}

/** The DataSource, or while it is not open another one onto the same table that is. */
export function openOne(dataSource: DataSource): DataSource {
  return dataSource.isInitialized ? dataSource : (othersOpen(dataSource)[0] ?? dataSource)
}

/** The manager of a transaction that a library such as typeorm-transactional has put in the place of `dataSource.manager`. */
export function replacedManager(dataSource: DataSource): EntityManager | undefined {
  if (databaseOf(dataSource).dataSources.size < 2) return undefined
  return [dataSource, ...othersOpen(dataSource)]
    .map(({ manager }) => manager)
    .find(({ queryRunner }) => queryRunner?.isTransactionActive)
}

function othersOpen(dataSource: DataSource): DataSource[] {
  return [...databaseOf(dataSource).dataSources]
    .map((each) => each.deref())
    .filter((each) => each !== undefined)
    .filter((each) => each !== dataSource && each.isInitialized && haveSameTable(each, dataSource))
}

/** Makes it one that `openOne` may give. */
export function useForTasks(dataSource: DataSource): void {
  const { dataSources } = databaseOf(dataSource)
  for (const each of dataSources) {
    const known = each.deref()
    if (known === dataSource) return
    if (known === undefined) dataSources.delete(each)
  }
  dataSources.add(new WeakRef(dataSource))
  databases.hasTwins ||= dataSources.size > 1
}

function tablePathOf(dataSource: DataSource): string | undefined {
  if (!dataSource.isInitialized || !dataSource.hasMetadata(DBTaskResult)) return undefined
  return dataSource.getMetadata(DBTaskResult).tablePath
}
