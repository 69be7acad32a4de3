import type { DataSource, EntityMetadata } from 'typeorm'

/** The table's escaped name, with its schema. */
export function escapedTable(
  { driver }: DataSource,
  { schema, tableName }: EntityMetadata,
): string {
  return [...schemaOf(schema), tableName].map((part) => driver.escape(part)).join('.')
}

/** The index's escaped name, with its schema: PostgreSQL and SQLite look it up by schema, not by table. */
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

/** Statements that bring the tasks table up to date, and statements that undo them, both in execution order. */
export interface Plan {
  readonly up: readonly string[]
  readonly down: readonly string[]
}
