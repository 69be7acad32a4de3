import { auroraMysql, mysql } from './mysql'
import { other } from './other'
import { auroraPostgres, cockroachdb, postgres } from './postgres'
import type { Profile } from './profile'
import { betterSqlite3, sqlite, sqljs } from './sqlite'

/** The profile for a TypeORM DataSource `type`; one that is not known is served by portable means. */
export function profileOf(type: string): Profile {
  return PROFILES[type] ?? other
}

/** Whose error codes can be told apart from each other's, so that an error says what it means without its DataSource. */
export const FAMILIES: readonly Profile[] = [postgres, mysql, sqlite, other]

const PROFILES: Readonly<Record<string, Profile | undefined>> = {
  postgres,
  cockroachdb,
  'aurora-postgres': auroraPostgres,
  mysql,
  mariadb: mysql,
  'aurora-mysql': auroraMysql,
  'better-sqlite3': betterSqlite3,
  sqlite,
  sqljs,
  capacitor: sqlite,
  cordova: sqlite,
  expo: sqlite,
  nativescript: sqlite,
  'react-native': sqlite,
}
