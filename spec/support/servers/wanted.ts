import { didYouMean } from '../../../lib/errors/suggestions'
import { findMariaDb, mariaDbHint } from './mariadb'
import { hasMySql, mySqlHint } from './mysql'
import { findPostgres, postgresHint } from './postgres'

export const databaseNames = ['sqlite', 'postgres', 'mariadb', 'mysql'] as const
export type DatabaseName = (typeof databaseNames)[number]

/** The databases a run is to use, and what to do about those that this machine lacks. */
export interface Wanted {
  readonly names: readonly DatabaseName[]
  readonly missing: Readonly<Partial<Record<DatabaseName, string>>>
}

/** Reads `DB`, a comma list of names (all when absent), and looks for the programs. */
export function wanted(list = process.env['DB']): Wanted {
  const names =
    list === undefined || list.trim() === ''
      ? databaseNames
      : list.split(',').map((name) => databaseName(name.trim()))
  const missing: Partial<Record<DatabaseName, string>> = {}
  if (names.includes('postgres') && findPostgres() === undefined) missing.postgres = postgresHint
  if (names.includes('mariadb') && findMariaDb() === undefined) missing.mariadb = mariaDbHint
  if (names.includes('mysql') && !hasMySql()) missing.mysql = mySqlHint
  return { names, missing }
}

function databaseName(text: string): DatabaseName {
  const found = databaseNames.find((name) => name === text)
  if (found !== undefined) return found
  throw new Error(
    `DB names the database "${text}"; known are ${databaseNames.join(', ')}. ${didYouMean(text, databaseNames) ?? ''}`.trim(),
  )
}
