import type { DataSource } from 'typeorm'

/** Databases that share a dialect of SQL and so the types of our columns. */
export type Family = 'postgres' | 'mysql' | 'sqlite' | 'other'

const FAMILIES: Readonly<Record<string, Family | undefined>> = {
  postgres: 'postgres',
  'aurora-postgres': 'postgres',
  cockroachdb: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'aurora-mysql': 'mysql',
  'better-sqlite3': 'sqlite',
  sqlite: 'sqlite',
  sqljs: 'sqlite',
  capacitor: 'sqlite',
  cordova: 'sqlite',
  expo: 'sqlite',
  nativescript: 'sqlite',
  'react-native': 'sqlite',
}

/** The family of a TypeORM DataSource `type`; `other` for types that are not known; the portable dialect serves those. */
export function familyOf(type: string): Family {
  return FAMILIES[type] ?? 'other'
}

/** A DataSource, or one connection of it. */
export interface Asked {
  query(sql: string): Promise<unknown>
}

/**
 * Whether a server under one of MySQL's types is MariaDB. TypeORM keeps only the digits of its version, so it is asked.
 *
 * @throws whatever the driver throws
 */
export async function isMariaDb(asked: Asked): Promise<boolean> {
  const [row] = (await asked.query('SELECT VERSION() AS version')) as { version: string }[]
  return /mariadb/i.test(row?.version ?? '')
}

/**
 * By TypeORM's mark and by its form, since an app and this library may each have a copy of TypeORM, which makes `instanceof`
 * fail.
 */
export function isDataSource(value: unknown): value is DataSource {
  return (
    typeof value === 'object' &&
    value !== null &&
    '@instanceof' in value &&
    value['@instanceof'] === Symbol.for('DataSource') &&
    'options' in value &&
    'manager' in value &&
    'isInitialized' in value
  )
}
