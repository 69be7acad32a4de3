import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { types } from 'node:util'
import type { DataSource } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import { LoadError } from '../../lib/errors/errors'
import { loadFile, packageAbove } from './load-file'
import { installTypeScript, isFile, isTypeScript } from '../typescript/require-hook'

/** The user's app as the command line needs it. */
export interface App {
  /** The file that exports the DataSource. */
  file: string
  /** The folder of the nearest package.json above the file, else the file's own. */
  root: string
  /** As exported: not initialized, unless the app does that itself. */
  dataSource: DataSource
  language: 'ts' | 'js'
  /** Module system for new files of the app. */
  modules: 'commonjs' | 'esm'
  /** The export `TASKS`. */
  tasksSettings: unknown
  /** The export `TASK_MODULES`. */
  taskModules?: unknown
}

/** Where to look for the DataSource without --data-source. */
export const DEFAULT_FILES: readonly string[] = [
  'ormconfig',
  'data-source',
  'src/data-source',
  'src/database/data-source',
].flatMap((name) => [`${name}.ts`, `${name}.js`])

/** Finds and loads the file (JavaScript or TypeScript) with the app's DataSource. It must export exactly one DataSource. @throws LoadError */
export async function loadApp(options: { dataSource?: string; cwd?: string } = {}): Promise<App> {
  const file = findFile(options.dataSource, options.cwd ?? process.cwd())
  if (isTypeScript(file)) installTypeScript(file)
  const loaded = await loadFile(file)
  const exported = exportsOf(loaded)
  return {
    file,
    root: packageAbove(file).root,
    dataSource: await theDataSource(file, exported),
    language: isTypeScript(file) ? 'ts' : 'js',
    modules: moduleSystemOf(file, loaded),
    tasksSettings: exported['TASKS'],
    taskModules: exported['TASK_MODULES'],
  }
}

function findFile(given: string | undefined, cwd: string): string {
  const wanted =
    given === undefined
      ? DEFAULT_FILES
      : ['', '.ts', '.js', '.mts', '.cts', '.mjs', '.cjs'].map((ending) => given + ending)
  const found = wanted.map((name) => resolve(cwd, name)).find(isFile)
  if (found) return realpathSync(found)
  if (given === undefined)
    throw new LoadError(
      `No data source file in ${cwd}. Looked for ${DEFAULT_FILES.join(', ')}.`,
      'Give its path: --data-source path/to/file.',
    )
  throw new LoadError(
    `The data source file ${resolve(cwd, given)} does not exist.`,
    `Give its path relative to ${cwd} with --data-source${/\.[mc]?js$/.test(given) ? ', or compile the app first' : ''}.`,
  )
}

async function theDataSource(file: string, exported: Exports): Promise<DataSource> {
  const found = new Map<DataSource, string>() // the same DataSource may be exported under two names
  for (const [name, value] of Object.entries(exported)) {
    const settled = await settle(file, name, value)
    if (isDataSource(settled) && !found.has(settled)) found.set(settled, name)
  }
  const [first, ...others] = found.keys()
  if (first && others.length === 0) return first
  throw first ? severalDataSources(file, [...found.values()]) : noDataSource(file, exported)
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

function severalDataSources(file: string, names: string[]): LoadError {
  return new LoadError(
    `${file} exports ${names.length} DataSources: ${names.join(', ')}.`,
    'Export only one, or pass with --data-source a file that exports only the DataSource with the tasks table.',
  )
}

function noDataSource(file: string, exported: Exports): LoadError {
  const names = Object.keys(exported)
  const options =
    names.find((name) => isOptions(exported[name])) ??
    (isOptions(exported) ? 'module.exports' : undefined)
  return new LoadError(
    `${file} exports no DataSource; ${names.length === 0 ? 'it exports nothing' : `its exports are: ${names.join(', ')}`}.`,
    options === undefined
      ? 'Add to it: export const dataSource = new DataSource({ … })'
      : `"${options}" has only options; export new DataSource(…) created from them.`,
  )
}

/** The file's exports by name, including those inside `default` (`module.exports` seen from an ES module, or a plain object). */
function exportsOf(loaded: unknown): Exports {
  if (!isBag(loaded)) return { default: loaded }
  const { default: inner, ['module.exports']: whole, ...named } = loaded
  const within = [whole, inner].filter(isBag).map(exportsOf)
  const single = [inner, whole].find((value) => value !== undefined && !isBag(value))
  return Object.assign(
    {},
    ...within,
    single === undefined ? {} : { default: single },
    named,
  ) as Exports
}

function moduleSystemOf(file: string, loaded: unknown): App['modules'] {
  if (/\.m[jt]s$/.test(file)) return 'esm'
  if (/\.c[jt]s$/.test(file)) return 'commonjs'
  const { type } = packageAbove(file)
  const unsaid = type === undefined && types.isModuleNamespaceObject(loaded) // Node detected an ES module from the source text, and will do so for new files
  return type === 'module' || unsaid ? 'esm' : 'commonjs'
}

function isBag(value: unknown): value is Exports {
  if (typeof value !== 'object' || value === null || isDataSource(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function isOptions(value: unknown): boolean {
  return isBag(value) && typeof value['type'] === 'string'
}

type Exports = Record<string, unknown>
