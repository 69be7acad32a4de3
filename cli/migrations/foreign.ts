import { TableColumn, type DataSource, type EntityMetadata, type Table } from 'typeorm'
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata'
import type { IndexMetadata } from 'typeorm/metadata/IndexMetadata'
import { COLUMNS } from '../../entities/columns'
import { familyOf } from '../../entities/database-family'
import { DataSourceError } from '../../lib/errors/errors'
import { planByTypeorm } from './managed'
import { escapedIndex, escapedTable } from './names'
import type { Plan } from './names'

/** The columns that Django does not know. */
const OURS: ReadonlySet<string> = new Set(
  COLUMNS.filter(({ isOurs }) => isOurs).map(({ name }) => name),
)

/** A migration that adds our columns and indexes to a table that Django made, and changes nothing of Django's. Our other tables are made beside it. */
export async function planForeign(own: DataSource, metadata: EntityMetadata): Promise<Plan> {
  const table = await tableOf(own, metadata)
  const steps = [
    ...missingColumns(table, metadata).map((column) => addColumn(own, metadata, column)),
    ...missingIndexes(table, metadata).map((index) => addIndex(own, metadata, index)),
  ]
  const others = await planByTypeorm(own)
  return {
    up: [...steps.map(({ up }) => up), ...others.up],
    down: [...others.down, ...steps.map(({ down }) => down).toReversed()],
  }
}

/** Our claims do not need this sort direction, but Django's do: without it, its worker sorts, and locks every READY row it sorts. */
const DJANGOS_ORDER = ' DESC'

interface Step {
  readonly up: string
  readonly down: string
}

async function tableOf(own: DataSource, metadata: EntityMetadata): Promise<Table> {
  const runner = own.createQueryRunner()
  try {
    const table = await runner.getTable(metadata.tablePath)
    if (table) return table
  } finally {
    await runner.release()
  }
  throw new DataSourceError(
    `The table ${metadata.tablePath} does not exist, and the entity does not create it (managed: false).`,
    "Run Django's own migrations first (python manage.py migrate), or remove `managed: false`.",
  )
}

function missingColumns(table: Table, metadata: EntityMetadata): ColumnMetadata[] {
  const missing = metadata.columns.filter(
    ({ databaseName }) => !table.findColumnByName(databaseName),
  )
  const djangos = missing.map(({ databaseName }) => databaseName).filter((name) => !OURS.has(name))
  if (djangos.length === 0) return missing
  throw new DataSourceError(
    `The table ${metadata.tablePath} has no column ${djangos.join(', ')}.`,
    "Update it with Django's own migrations first (python manage.py migrate).",
  )
}

function missingIndexes({ indices }: Table, metadata: EntityMetadata): IndexMetadata[] {
  return metadata.indices.filter((wanted) => {
    const columns = wanted.columns.map(({ databaseName }) => databaseName).join()
    return !indices.some(
      (index) => index.columnNames.join() === columns && (index.isUnique || !wanted.isUnique),
    )
  })
}

function addColumn(own: DataSource, metadata: EntityMetadata, column: ColumnMetadata): Step {
  const table = escapedTable(own, metadata)
  const name = own.driver.escape(column.databaseName)
  const rest = column.isNullable
    ? 'NULL'
    : `DEFAULT ${own.driver.normalizeDefault(column)} NOT NULL`
  return {
    up: `ALTER TABLE ${table} ADD ${name} ${typeOf(own, column)} ${rest}`,
    down: `ALTER TABLE ${table} DROP COLUMN ${name}`,
  }
}

function typeOf({ driver }: DataSource, column: ColumnMetadata): string {
  const type = driver.createFullType(
    new TableColumn({
      name: column.databaseName,
      type: driver.normalizeType(column),
      length: driver.getColumnLength(column),
      ...(typeof column.precision === 'number' ? { precision: column.precision } : {}),
    }),
  )
  return column.charset
    ? `${type} CHARACTER SET ${column.charset} COLLATE ${column.collation}`
    : type
}

function addIndex(own: DataSource, metadata: EntityMetadata, index: IndexMetadata): Step {
  const table = escapedTable(own, metadata)
  const name = own.driver.escape(index.name)
  const columns = index.columns
    .map(
      ({ databaseName }) =>
        own.driver.escape(databaseName) + (databaseName === 'priority' ? DJANGOS_ORDER : ''),
    )
    .join(', ')
  const where = index.where ? ` WHERE ${index.where}` : ''
  const up = `CREATE ${index.isUnique ? 'UNIQUE ' : ''}INDEX ${name} ON ${table} (${columns})${where}`
  return {
    up,
    down: dropsByTable(own)
      ? `DROP INDEX ${name} ON ${table}`
      : `DROP INDEX ${escapedIndex(own, metadata, index.name)}`,
  }
}

function dropsByTable({ options }: DataSource): boolean {
  return familyOf(options.type) === 'mysql' || options.type === 'mssql'
}
