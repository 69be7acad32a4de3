import type { Table } from '../table'
import type { Dialect } from './dialect'
import type * as ofMySql from './mysql/dialect'
import type * as ofPortable from './portable/dialect'
import type * as ofPostgres from './postgres/dialect'
import type * as ofSqlite from './sqlite/dialect'

type DialectClass = new (table: Table) => Dialect

// An app has one database as a rule, and need not load the dialects of the others.
const postgres = (): DialectClass => (require('./postgres/dialect') as typeof ofPostgres).Postgres
const mysql = (): DialectClass => (require('./mysql/dialect') as typeof ofMySql).MySql
const sqlite = (): DialectClass => (require('./sqlite/dialect') as typeof ofSqlite).Sqlite
const portable = (): DialectClass => (require('./portable/dialect') as typeof ofPortable).Portable

/** By TypeORM's `type`. `sqlite` and the drivers for phones and browsers are SQLite too, but not all of them return the rows of a statement. */
const DIALECTS: Readonly<Record<string, (() => DialectClass) | undefined>> = {
  postgres,
  'aurora-postgres': postgres,
  cockroachdb: postgres,
  mysql,
  mariadb: mysql,
  'aurora-mysql': mysql,
  'better-sqlite3': sqlite,
}

const dialects = new WeakMap<Table, Dialect>()

/** The dialect for a table: SQL of its own for the drivers that we know well, else TypeORM's query builder. */
export function dialectFor(table: Table): Dialect {
  const known = dialects.get(table)
  if (known) return known
  const DialectOfType = (DIALECTS[table.type] ?? portable)()
  const dialect = new DialectOfType(table)
  dialects.set(table, dialect)
  return dialect
}
