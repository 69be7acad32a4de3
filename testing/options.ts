import type { DataSource } from 'typeorm'
import type { RedactRules } from '../dashboard/security/redact'
import {
  type OptionTable,
  type Rule,
  QUEUE_NAMES_OR_ALL,
  TRUE_OR_FALSE,
  completed,
  isRecord,
  or,
  row,
  settingsSubject,
  wholeNumber,
} from '../lib/errors/option-checks'
import { isDataSource } from '../entities/database-family'
import { InvalidSettingsError } from '../lib/errors/errors'
import { allOr } from '../lib/worker/worker-options'
import type { Draining, RunOptions } from './run/drain'

interface SharedOptions {
  /** Further names of values that errors of the kit do not show, beside those of most secrets; as for the dashboard. */
  redact?: { keys?: readonly (RegExp | string)[] | undefined } | undefined
}

/** Tasks are kept in memory. */
export interface MemoryTestOptions extends SharedOptions {
  /** `'record'`, the default: they run when the test says so, by `run()`. `'inline'`: at enqueue, before it resolves. */
  mode?: 'record' | 'inline' | undefined
  database?: undefined
}

/** Tasks are rows of a real database. */
export interface DatabaseTestOptions extends SharedOptions {
  mode?: 'database' | undefined
  /** Takes the place of the data source of TASKS. Needed where a backend of TASKS is no Database backend. */
  database?: DataSource | (() => DataSource | Promise<DataSource>) | undefined
}

/** With one of the keys that say so. */
export type InDatabase = DatabaseTestOptions &
  ({ mode: 'database' } | { database: NonNullable<DatabaseTestOptions['database']> })

export type TestOptions = MemoryTestOptions | DatabaseTestOptions

export interface TestSettings {
  readonly mode: 'record' | 'inline' | 'database'
  readonly database: DatabaseTestOptions['database']
  readonly rules: RedactRules
}

const MODES = ['record', 'inline', 'database']
const MODE: Rule = {
  expected: "'record', 'inline' or 'database'",
  isSound: (value) => typeof value === 'string' && MODES.includes(value),
}
const DATABASE: Rule = {
  expected: 'a DataSource, or a function that returns one',
  isSound: (value) => isDataSource(value) || typeof value === 'function',
}
const REDACT: Rule = {
  expected: '{ keys: [names, or regular expressions] }',
  isSound: (value) =>
    isRecord(value) && (value['keys'] === undefined || Array.isArray(value['keys'])),
}

const TABLE = {
  mode: row<TestSettings['mode'] | undefined>(undefined, or(undefined, MODE)),
  database: row<TestSettings['database']>(undefined, or(undefined, DATABASE)),
  redact: row<NonNullable<SharedOptions['redact']>>({}, REDACT),
}

/** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function testSettings(options: TestOptions): TestSettings {
  const given = completed(settingsSubject('testTasks'), options, TABLE)
  const { mode = given.database === undefined ? 'record' : 'database', database } = given
  if (database !== undefined && mode !== 'database')
    throw new InvalidSettingsError(
      `testTasks: a database was given, and the mode "${mode}" keeps tasks in memory.`,
      "Leave database out, or write mode: 'database'.",
    )
  return { mode, database, rules: { keys: given.redact.keys ?? [] } }
}

/** What a transaction of TypeORM gives. */
export const MANAGER: Rule = {
  expected: 'an EntityManager',
  isSound: (value) => isRecord(value) && 'connection' in value && 'getRepository' in value,
  hint: 'Pass the manager that `dataSource.transaction(…)` gives, or that of a query runner.',
}

const RUN_OPTIONS = {
  queues: row<readonly string[] | '*'>('*', QUEUE_NAMES_OR_ALL),
  untilFinished: row(false, TRUE_OR_FALSE),
  throwFailures: row(true, TRUE_OR_FALSE),
  atMost: row(1_000, wholeNumber(1)),
} satisfies OptionTable<RunOptions>

export type RunSettings = Omit<Draining, 'untilNext' | 'due' | 'travel'>

/** `what`: the method that is called. @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function runSettings(options: RunOptions, what: string): RunSettings {
  const given = completed(settingsSubject(what), options, RUN_OPTIONS)
  return { ...given, queues: allOr(given.queues) }
}
