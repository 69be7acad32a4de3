import type { DataSource, EntityMetadata } from 'typeorm'

/** The table's name for a statement, with its schema. */
export function escapedTable(
  { driver }: DataSource,
  { schema, tableName }: EntityMetadata,
): string {
  return [...schemaOf(schema), tableName].map((part) => driver.escape(part)).join('.')
}

/** An index's name for a statement: PostgreSQL and SQLite find it by its schema, not by its table. */
export function escapedIndex(
  { driver }: DataSource,
  { schema }: EntityMetadata,
  name: string,
): string {
  return [...schemaOf(schema), name].map((part) => driver.escape(part)).join('.')
}

function schemaOf(schema: string | undefined): string[] {
  return schema ? [schema] : []
}
/** The statements that bring the tasks table up to date, and those that undo them, each in its order. */
export interface Plan {
  readonly up: readonly string[]
  readonly down: readonly string[]
}
