import type { DataSource, NamingStrategyInterface } from 'typeorm'

/** Marks a name on its way through TypeORM. It can be no part of a name: no database takes it. */
const MARK = '\u0000typeorm-tasks:'

/** A name that no naming strategy changes: statements and other programs know the columns by it. */
export function fixedName(name: string): string {
  return MARK + name
}

/** Runs `build`, which builds the metadata of the DataSource, so that names of `fixedName` stay as they are. */
export async function withFixedNames(
  dataSource: DataSource,
  build: () => Promise<void>,
): Promise<void> {
  const { namingStrategy } = dataSource
  Object.assign(dataSource, { namingStrategy: leavingFixed(namingStrategy) })
  try {
    await build()
    for (const column of dataSource.entityMetadatas.flatMap(({ columns }) => columns))
      if (isFixed(column.givenDatabaseName)) column.givenDatabaseName = column.databaseName
  } finally {
    Object.assign(dataSource, { namingStrategy })
  }
}

function leavingFixed(strategy: NamingStrategyInterface): NamingStrategyInterface {
  const columnName: NamingStrategyInterface['columnName'] = (property, given, prefixes) =>
    isFixed(given)
      ? String(given).slice(MARK.length)
      : strategy.columnName(property, given, prefixes)
  // Bound, since a strategy may have private fields.
  return new Proxy(strategy, {
    get(target, name) {
      if (name === 'columnName') return columnName
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function isFixed(given: string | undefined): boolean {
  return given?.startsWith(MARK) ?? false
}
