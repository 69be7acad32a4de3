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
