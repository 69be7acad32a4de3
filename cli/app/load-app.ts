import { types } from 'node:util'
import type { DataSource } from 'typeorm'
import { LoadError } from '../../lib/errors/errors'
import { findAppFile } from './find-app-file'
import { type Exports, isBag, closeOf, pickDataSource, settled } from './exports'
import { loadFile, packageAbove } from './load-file'
import { during, loading } from '../unfinished'
import { installTypeScript, isTypeScript } from '../typescript/require-hook'

/** The user's app as the command line needs it. */
export interface App {
  /** The file that exports the DataSource, or the module of Nest. */
  file: string
  /** The folder of the nearest package.json above the file, else the file's own. */
  root: string
  /** As exported: not initialized, unless the app does that itself. Undefined: its tasks are in no database. */
  dataSource: DataSource | undefined
  language: 'ts' | 'js'
  /** Module system for new files of the app. */
  modules: 'commonjs' | 'esm'
  /** The name of the module of Nest that is the app. */
  nestModule?: string
  /** The export `TASKS`. */
  tasksSettings: unknown
  /** The export `TASK_MODULES`. */
  taskModules?: unknown
  /** Closes what the app has opened, DataSources apart: the export `close`, and every exported context of Nest. */
  close: () => Promise<void>
}

/** One that has a DataSource. */
export interface AppInDatabase extends App {
  dataSource: DataSource
}

/** The app, if it has a DataSource. @throws LoadError */
export function inDatabase(app: App): AppInDatabase {
  const { dataSource, file } = app
  if (dataSource) return { ...app, dataSource }
  throw new LoadError(
    `${file} exports no DataSource.`,
    'Add to it: export const dataSource = new DataSource({ … })',
  )
}

/** Finds and loads the file (JavaScript or TypeScript) with the app's DataSource. It must export exactly one DataSource. @throws LoadError */
export async function loadApp(options: { dataSource?: string; cwd?: string } = {}): Promise<App> {
  const file = findAppFile(options.dataSource, options.cwd ?? process.cwd())
  if (isTypeScript(file)) installTypeScript(file)
  const loaded = await loadFile(file)
  const exported = await during(loading(file), () => settled(file, exportsOf(loaded)))
  return {
    file,
    root: packageAbove(file).root,
    dataSource: pickDataSource(file, exported),
    language: isTypeScript(file) ? 'ts' : 'js',
    modules: moduleSystemOf(file, loaded),
    tasksSettings: exported['TASKS'],
    taskModules: exported['TASK_MODULES'],
    close: closeOf(exported),
  }
}

/** The file's exports by name, including those inside `default` (`module.exports` seen from an ES module, or a plain object). */
export function exportsOf(loaded: unknown): Exports {
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

export function moduleSystemOf(file: string, loaded: unknown): App['modules'] {
  if (/\.m[jt]s$/.test(file)) return 'esm'
  if (/\.c[jt]s$/.test(file)) return 'commonjs'
  const { type } = packageAbove(file)
  const unsaid = type === undefined && types.isModuleNamespaceObject(loaded) // Node detected an ES module from the source text, and will do so for new files
  return type === 'module' || unsaid ? 'esm' : 'commonjs'
}
