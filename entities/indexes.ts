import { getMetadataArgsStorage } from 'typeorm'
import type { CheckMetadataArgs } from 'typeorm/metadata-args/CheckMetadataArgs'
import type { IndexMetadataArgs } from 'typeorm/metadata-args/IndexMetadataArgs'
import { beingBuilt } from './metadata/metadata-hook'

/** Indexes and the check of the table; `tableName` is the name as given, before prefix and naming strategy. */
export interface Constraints {
  readonly indexes: readonly Omit<IndexMetadataArgs, 'target'>[]
  readonly check: Omit<CheckMetadataArgs, 'target'>
}

/** Gives a class its indexes and its check. */
export function Constrained(tableName: string): ClassDecorator {
  return (target) => {
    const { indexes, check } = constraintsOf(tableName)
    const storage = getMetadataArgsStorage()
    for (const index of indexes) storage.indices.push(lazily({ target }, index))
    storage.checks.push(lazily({ target }, check))
  }
}

/**
 * Names contain the table's name, since some databases want them unique in the whole schema.
 * All values are computed for the DataSource that is being built.
 */
export function constraintsOf(tableName: string): Constraints {
  return {
    indexes: [
      // Workers take one priority at a time, so no column needs to be descending, which TypeORM cannot declare.
      lazily(
        { columns: ['status', 'priority', 'runAfter', 'enqueuedAt'] },
        {
          get name() {
            return nameFor(tableName, 'ready_idx')
          },
          get where() {
            return partial(`${column('status')} = 'READY'`)
          },
        },
      ),
      lazily(
        { columns: ['uniqueKey'], unique: true },
        {
          get name() {
            return nameFor(tableName, 'unique_key_idx')
          },
          get where() {
            return partial(`${column('unique_key')} IS NOT NULL`)
          },
        },
      ),
    ],
    check: {
      get name() {
        return nameFor(tableName, 'priority_check')
      },
      get expression() {
        return `${column('priority')} BETWEEN -100 AND 100`
      },
    },
  }
}

/** PostgreSQL silently truncates longer names, and TypeORM would then not find the index it created. */
const MAX_NAME = 63

function nameFor(tableName: string, suffix: string): string {
  const dataSource = beingBuilt()?.dataSource
  const named = dataSource?.namingStrategy.tableName('DBTaskResult', tableName) ?? tableName
  const prefix = dataSource?.options.entityPrefix
  const table = prefix ? dataSource.namingStrategy.prefixTableName(prefix, named) : named
  return `${table.slice(0, MAX_NAME - suffix.length - 1)}_${suffix}`
}

/** The condition of a partial index; empty if the database has none, or TypeORM does not create them. */
function partial(where: string): string {
  const built = beingBuilt()
  const able =
    built?.family === 'postgres' ||
    built?.family === 'sqlite' ||
    built?.dataSource.options.type === 'mssql'
  return able ? where : ''
}

function column(name: string): string {
  return beingBuilt()?.dataSource.driver.escape(name) ?? name
}

/** Merges both objects; getters stay getters. */
function lazily<Fixed extends object, Lazy extends object>(fixed: Fixed, lazy: Lazy): Fixed & Lazy {
  return Object.defineProperties({ ...fixed }, Object.getOwnPropertyDescriptors(lazy)) as Fixed &
    Lazy
}
