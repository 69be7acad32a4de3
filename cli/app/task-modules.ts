import { isAbsolute, join } from 'node:path'
import { LoadError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import { globbed, isCode, splitGlob } from '../../lib/tasks/globs'
import { hasOwnLoader, isTypeScript } from '../typescript/require-hook'
import type { App } from './load-app'
import { buildFolder, outputFolders } from './build-output'
import { filesBelow } from './find-files'
import { loadFile } from './load-file'
import { isPackageName, packageFiles } from './task-packages'
import { currentPackage, workspacePackages } from './workspace'

const DEFAULT_NAME = /^(.+\.)?tasks\.[mc]?[jt]s$/

/** Loads the files that define the app's tasks (`TASK_MODULES`, else `tasks.ts` and `*.tasks.ts` anywhere in the app). Returns their paths. @throws LoadError */
export async function loadTaskModules(app: App): Promise<string[]> {
  const files = app.taskModules === undefined ? await byDefault(app) : await bySetting(app)
  for (const file of files) await loadFile(file) // sorted by name, so the order is always the same
  return files
}

/** The files of a package that define tasks by their names. */
export function taskFilesOf(app: App, folder: string): string[] {
  const outputs = outputFolders(app, folder)
  const found = tasksBelow(app, [folder], outputs, folder !== app.root)
  if (found.length > 0 || app.language === 'ts') return found
  return tasksBelow(
    app,
    outputs.map((name) => join(folder, name)),
  ) // an ormconfig.js beside `dist`
}

/** The same of all packages of the workspace that has its root there. */
export async function taskFilesOfWorkspace(app: App, root: string): Promise<string[]> {
  return (await workspacePackages(root)).flatMap((folder) => taskFilesOf(app, folder))
}

/** In a monorepo the data source may be in one package and the worker in another; from its root, all packages are searched where these have none. */
async function byDefault(app: App): Promise<string[]> {
  const current = currentPackage()
  const own = [
    ...ofDataSourcePackage(app),
    ...(current === undefined || current === app.root ? [] : taskFilesOf(app, current)),
  ]
  const found = own.length > 0 || !current ? own : await taskFilesOfWorkspace(app, current)
  return [...new Set(found)].toSorted()
}

/** For a compiled app, searches only the build folder: the sources beside it would define the same tasks twice. */
function ofDataSourcePackage(app: App): string[] {
  const built = app.language === 'js' ? buildFolder(app) : undefined
  return built === undefined ? taskFilesOf(app, app.root) : tasksBelow(app, [built])
}
function tasksBelow(
  app: App,
  folders: readonly string[],
  except: readonly string[] = [],
  onePackage = false,
): string[] {
  const search = {
    fits: (name: string) => DEFAULT_NAME.test(name),
    except: ['node_modules', ...except],
    onePackage,
  }
  return ofApp(
    app,
    folders.flatMap((folder) => filesBelow(folder, search)),
  )
}

async function bySetting(app: App): Promise<string[]> {
  const files = new Set<string>()
  for (const pattern of globsIn(app)) {
    const found = ofApp(app, await globbed(pattern, app.root))
    const meant = found.length > 0 ? found : ofApp(app, await packageFiles(pattern, app.file))
    if (meant.length === 0) throw noMatch(app, pattern)
    for (const file of meant) files.add(file)
  }
  return [...files]
}

function noMatch(app: App, pattern: string): LoadError {
  const compiled = app.language === 'js' && /ts\b/.test(pattern)
  const { folder, rest } = splitGlob(pattern, app.root)
  const what = `TASK_MODULES of ${app.file}: ${shown(pattern)}`
  if (rest === '')
    return new LoadError(
      `${what} is a folder.`,
      `Write a glob of its files: ${shown(`${pattern}/**/*.{ts,js}`)}.`,
    )
  if (isPackageName(pattern))
    return new LoadError(
      `${what} matches no file below ${app.root}, and no package there has that name and file.`,
      `Install the package in ${app.root}, or list the files of the workspace by their paths, such as '../tasks/src/**/*.tasks.ts'.`,
    )
  return new LoadError(
    `${what} matches no ${compiled ? 'JavaScript ' : ''}file below ${isAbsolute(pattern) ? folder : app.root}.`,
    compiled
      ? "The app runs compiled: write the glob from the file's own folder, e.g. join(__dirname, '**/*.tasks.{ts,js}')."
      : `Correct the glob${isAbsolute(pattern) ? '' : '; it is relative to that folder'}.`,
  )
}

function globsIn(app: App): string[] {
  const globs: unknown[] = Array.isArray(app.taskModules) ? app.taskModules : [app.taskModules]
  return globs.map((value, at) => {
    if (typeof value === 'string' && value !== '') return value
    throw new LoadError(
      `TASK_MODULES[${at}] of ${app.file}: expected a glob of files that define tasks, got ${shown(value)}.`,
      "Write e.g. TASK_MODULES = ['src/**/*.tasks.{ts,js}'].",
    )
  })
}

/** The files that are code of the app as it runs, sorted by name. */
function ofApp(app: App, found: readonly string[]): string[] {
  const files = new Set(found)
  return [...files].filter((file) => isCode(file) && !isOtherIdentity(app, file, files)).toSorted()
}

/** True for a file that would define the same tasks twice: a source if the app runs compiled, else a compiled file beside its source. */
function isOtherIdentity(app: App, file: string, files: Set<string>): boolean {
  if (isTypeScript(file)) return app.language === 'js' && !hasOwnLoader()
  return app.language === 'ts' && files.has(file.replace(/js$/, 'ts'))
}
