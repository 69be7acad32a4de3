import type { DataSource } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import type * as database from '../../backends/database/backend'
import { TaskBackend } from '../../lib/backend'
import { backends } from '../../lib/backend-registry'
import { LoadError } from '../../lib/errors/errors'
import { isRecord } from '../../lib/errors/option-checks'

/** What a file exports, by name. */
export type Exports = Record<string, unknown>

/** The exports, each promise among them replaced by its value. @throws LoadError for a promise that is rejected */
export async function settled(file: string, exported: Exports): Promise<Exports> {
  const values: Exports = {}
  for (const [name, value] of Object.entries(exported))
    values[name] = await settle(file, name, value)
  return values
}

/**
 * The only DataSource among the exports; undefined for an app without one, whose tasks are in no database.
 *
 * @throws LoadError that says what they are instead
 */
export function pickDataSource(file: string, exported: Exports): DataSource | undefined {
  const found = new Map<DataSource, string>() // the same DataSource may be exported under two names
  for (const [name, value] of Object.entries(exported))
    if (isDataSource(value) && !found.has(value)) found.set(value, name)
  const [first, ...others] = found.keys()
  if (first && others.length === 0) return first
  if (!first && isElsewhere(exported['TASKS'])) return undefined
  throw first ? severalDataSources(file, [...found.values()]) : noDataSource(file, exported)
}

/** Whether workers have tasks to run, and none of them is in a database. `settings`: TASKS, unless the app has called configureTasks. */
export function isElsewhere(settings: unknown): boolean {
  const kinds = backendKinds(settings)
  return !kinds.includes('database') && kinds.includes('elsewhere')
}

/** Whether tasks on Redis are rows of a database first, where they are enqueued in a transaction. */
export function hasRelay(settings: unknown): boolean {
  if (backends.isConfigured)
    return backends.all().some(({ joinsTransactions }) => joinsTransactions)
  const configs = isRecord(settings) ? Object.values(settings) : []
  const options = configs.map((config) => isRecord(config) && config['OPTIONS'])
  return options.some((each) => isRecord(each) && each['dataSource'] !== undefined)
}

/** Where tasks of a backend are kept for workers. */
type Kind = 'database' | 'elsewhere' | 'nowhere'

function backendKinds(settings: unknown): Kind[] {
  if (backends.isConfigured) return backends.all().map((backend) => kindOf(backend))
  if (!isRecord(settings)) return []
  return Object.values(settings).flatMap((config) => {
    const backend: unknown = isRecord(config) ? config['BACKEND'] : undefined
    if (typeof backend === 'string') return KIND_OF_PATH[backend] ?? 'elsewhere'
    return typeof backend === 'function' ? kindOf(backend.prototype) : []
  })
}

const KIND_OF_PATH: Readonly<Record<string, Kind>> = {
  'typeorm-tasks/backends/database#DatabaseBackend': 'database',
  'typeorm-tasks/backends/immediate#ImmediateBackend': 'nowhere',
  'typeorm-tasks/backends/dummy#DummyBackend': 'nowhere',
}

/** A class of the app may extend one of ours, and have any name. */
function kindOf(made: unknown): Kind {
  // Loaded where an app has no DataSource, which few have not.
  const { DatabaseBackend } = require('../../backends/database/backend') as typeof database
  if (made === DatabaseBackend.prototype || made instanceof DatabaseBackend) return 'database'
  const isServed = made instanceof TaskBackend && made.openStore !== TaskBackend.prototype.openStore
  return isServed ? 'elsewhere' : 'nowhere'
}

/** Calls the export `close` if it is a function, else closes exported contexts of Nest, which nobody else does. */
export function closeOf(exported: Exports): () => Promise<void> {
  const { close } = exported
  const contexts = new Set(Object.values(exported).filter(isNestContext))
  return async () => {
    if (typeof close === 'function') await Reflect.apply(close, exported, [])
    else for (const context of contexts) await context.close()
  }
}

/** True for a plain object, which may hold exports; not for a DataSource or another instance. */
export function isBag(value: unknown): value is Exports {
  if (typeof value !== 'object' || value === null || isDataSource(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

async function settle(file: string, name: string, value: unknown): Promise<unknown> {
  try {
    return await value
  } catch (cause) {
    throw new LoadError(
      `The promise that ${file} exports as "${name}" was rejected: ${String(cause)}.`,
      'Fix the error there; -v 3 shows the stack trace.',
      { cause },
    )
  }
}

export function noDataSource(file: string, exported: Exports): LoadError {
  const names = Object.keys(exported)
  return new LoadError(
    `${file} exports no DataSource; ${names.length === 0 ? 'it exports nothing' : `its exports are: ${names.join(', ')}`}.`,
    hintFor(exported) ?? 'Add to it: export const dataSource = new DataSource({ … })',
  )
}

function severalDataSources(file: string, names: string[]): LoadError {
  return new LoadError(
    `${file} exports ${names.length} DataSources: ${names.join(', ')}.`,
    'Export only one, or pass with --data-source a file that exports only the DataSource with the tasks table.',
  )
}

/** What to change, by what is exported in place of a DataSource. */
function hintFor(exported: Exports): string | undefined {
  if (isOptions(exported)) return onlyOptions('module.exports')
  const entries = Object.entries(exported)
  const hints = [
    ...entries.map(([name, value]) => hintForValue(name, value)),
    ...entries.map(([name, value]) => hintForFactory(name, value)),
  ]
  return hints.find((hint) => hint !== undefined)
}

function hintForValue(name: string, value: unknown): string | undefined {
  if (isOptions(value)) return onlyOptions(name)
  if (isDataSourceClass(value))
    return `"${name}" is a class; export an instance of it: export const dataSource = new ${nameOf(name, value)}(…)`
  const inner = Object.entries(Array.isArray(value) || isBag(value) ? value : {})
  const [key] = inner.find(([, each]) => isDataSource(each)) ?? []
  return key === undefined
    ? undefined
    : `"${name}" contains one under "${key}"; export that by itself.`
}

function hintForFactory(name: string, value: unknown): string | undefined {
  return isFactory(value)
    ? `"${name}" is a function; if it makes the DataSource, export what it returns, also if that is a promise: export const dataSource = ${nameOf(name, value)}()`
    : undefined
}

function onlyOptions(name: string): string {
  return `"${name}" has only options; export new DataSource(…) created from them.`
}

function isOptions(value: unknown): boolean {
  return isBag(value) && typeof value['type'] === 'string'
}

/** An application of Nest, or a context without a server. */
function isNestContext(value: unknown): value is { close(): Promise<void> } {
  return isObject(value) && ['close', 'get', 'enableShutdownHooks'].every((name) => name in value)
}

type Class = abstract new (...given: never[]) => object

function isDataSourceClass(value: unknown): value is Class {
  return typeof value === 'function' && isObject(value.prototype) && 'initialize' in value.prototype
}

/** A function that is no class. */
function isFactory(value: unknown): value is () => unknown {
  return (
    typeof value === 'function' &&
    !/^class\b/.test(Function.prototype.toString.call(value)) &&
    !('name' in value && /^[A-Z]/.test(String(value.name)))
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** How the file itself may call what it exports under a name. */
function nameOf(name: string, value: { name: string }): string {
  if (name !== 'default') return name
  return /^(?!default$)./.test(value.name) ? value.name : 'create'
}
