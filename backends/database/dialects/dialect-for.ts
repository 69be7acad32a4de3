import type { Table } from '../table'
import type { Dialect } from './dialect'
import type * as ofMysql from './mysql/dialect'
import type * as fallback from './portable/dialect'
import type * as ofPostgres from './postgres'
import type * as ofSqlite from './sqlite'

/** The dialect for a table: SQL of its own where we know the driver well, else what TypeORM can say everywhere. */
export function dialectFor(table: Table): Dialect {
  const known = dialects.get(table)
  if (known) return known
  const dialect = (DIALECTS[table.type] ?? portable)(table)
  dialects.set(table, dialect)
  return dialect
}

const dialects = new WeakMap<Table, Dialect>()

// An app has one database as a rule, and need not load what the others say.
type Maker = (table: Table) => Dialect
const postgres: Maker = (table) => (require('./postgres') as typeof ofPostgres).postgres(table)
const mysql: Maker = (table) => (require('./mysql/dialect') as typeof ofMysql).mysql(table)
const sqlite: Maker = (table) => (require('./sqlite') as typeof ofSqlite).sqlite(table)
// In two steps: after `new`, the compiler drops the parentheses around what is loaded, and what is left means something else.
const portable: Maker = (table) => {
  const { Portable } = require('./portable/dialect') as typeof fallback
  return new Portable(table)
}

/** By TypeORM's `type`. `sqlite` and the drivers for phones and browsers are SQLite too, but do not all tell what a statement gave back. */
const DIALECTS: Readonly<Record<string, Maker | undefined>> = {
  postgres,
  'aurora-postgres': postgres,
  cockroachdb: postgres,
  mysql,
  mariadb: mysql,
  'aurora-mysql': mysql,
  'better-sqlite3': sqlite,
}
