import type * as tinyglobby from 'tinyglobby'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { LoadError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import type { App } from './load-app'
import { tsconfigOf } from '../typescript/compiler'
import { filesBelow } from './find-files'
import { loadFile } from './load-file'
import { hasOwnLoader, isTypeScript } from '../typescript/require-hook'

const DEFAULT_NAME = /^(.+\.)?tasks\.[mc]?[jt]s$/

/** Loads the files that define the app's tasks (`TASK_MODULES`, else `tasks.ts` and `*.tasks.ts` anywhere in the app). Returns their paths. @throws LoadError */
export async function loadTaskModules(app: App): Promise<string[]> {
  const files = app.taskModules === undefined ? byDefault(app) : await bySetting(app, globsIn(app))
  for (const file of files) await loadFile(file) // sorted by name, so the order is always the same
  return files
}

/** For a compiled app, searches only the build folder: the sources beside it would define the same tasks twice. */
function byDefault(app: App): string[] {
  const built = app.language === 'js' ? buildFolder(app) : undefined
  if (built !== undefined) return tasksBelow(app, [built])
  const found = tasksBelow(app, [app.root], outputFolders(app))
  if (found.length > 0 || app.language === 'ts') return found
  return tasksBelow(
    app,
    outputFolders(app).map((name) => join(app.root, name)),
  ) // an ormconfig.js beside `dist`
}

function tasksBelow(
  app: App,
  folders: readonly string[],
  except: readonly string[] = [],
): string[] {
  const search = {
    fits: (name: string) => DEFAULT_NAME.test(name),
    except: ['node_modules', ...except],
  }
  return ofApp(
    app,
    folders.flatMap((folder) => filesBelow(folder, search)),
  )
}

async function bySetting(app: App, globs: string[]): Promise<string[]> {
  const files = new Set<string>()
  for (const pattern of globs) {
    const ignore = pattern.includes('node_modules') ? [] : ['**/node_modules/**']
    const found = await search(app, pattern.replaceAll('\\', '/'), { cwd: app.root, ignore })
    if (found.length === 0) throw noMatch(app, pattern)
    for (const file of found) files.add(file)
  }
  return [...files]
}

function noMatch(app: App, pattern: string): LoadError {
  const compiled = app.language === 'js' && /ts\b/.test(pattern)
  return new LoadError(
    `TASK_MODULES of ${app.file}: ${shown(pattern)} matches no ${compiled ? 'JavaScript ' : ''}file below ${app.root}.`,
    compiled
      ? "The app runs compiled: write the glob from the file's own folder, e.g. join(__dirname, '**/*.tasks.{ts,js}')."
      : 'Correct the glob; it is relative to that folder.',
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

async function search(
  app: App,
  pattern: string,
  where: { cwd: string; ignore: string[] },
): Promise<string[]> {
  // Loaded here because most apps have no TASK_MODULES.
  const { glob } = require('tinyglobby') as typeof tinyglobby
  const found = await glob(pattern, {
    ...where,
    absolute: true,
    followSymbolicLinks: false,
    expandDirectories: false,
  })
  return ofApp(
    app,
    found.map((file) => join(file)),
  )
}

/** The files that are code of the app as it runs, sorted by name. */
function ofApp(app: App, found: readonly string[]): string[] {
  const files = new Set(found)
  return [...files].filter((file) => isCode(file) && !isOtherIdentity(app, file, files)).toSorted()
}

function isCode(file: string): boolean {
  return (
    /\.[mc]?[jt]s$/.test(file) && !/\.d\.[mc]?ts$/.test(file) && !/\.(spec|test)\.\w+$/.test(file)
  )
}

/** True for a file that would define the same tasks twice: a source if the app runs compiled, else a compiled file beside its source. */
function isOtherIdentity(app: App, file: string, files: Set<string>): boolean {
  if (isTypeScript(file)) return app.language === 'js' && !hasOwnLoader()
  return app.language === 'ts' && files.has(file.replace(/js$/, 'ts'))
}

const OUTPUT = ['dist', 'build', 'out']

/** The build folder that contains the data source file; undefined if it is not in one. */
function buildFolder(app: App): string | undefined {
  const steps = stepsTo(app)
  const ends = steps.map((_, at) => steps.slice(0, at + 1).join('/'))
  const outDir = outDirOf(app)
  const folder =
    ends.find((end) => end === outDir) ?? ends.find((_, at) => OUTPUT.includes(steps[at] ?? ''))
  return folder === undefined ? undefined : join(app.root, folder)
}

/** Build output folders, relative to the root; never one that contains the data source file. */
function outputFolders(app: App): string[] {
  const folders = [...OUTPUT, 'coverage', outDirOf(app) ?? 'dist']
  return folders.filter((folder) => !`${stepsTo(app).join('/')}/`.includes(`${folder}/`))
}

/** Names of the folders from the root down to the data source file. */
function stepsTo(app: App): string[] {
  return relative(app.root, app.file).split(sep).slice(0, -1)
}

/** tsconfig's `outDir` relative to the root; undefined if it is not a folder below the root. */
function outDirOf(app: App): string | undefined {
  const config = tsconfigOf(app.file)
  const outDir = config?.config.compilerOptions?.outDir
  if (!config || outDir === undefined) return undefined
  const path = relative(app.root, resolve(dirname(config.path), outDir))
  return path === '' || path.startsWith('..') || isAbsolute(path)
    ? undefined
    : path.split(sep).join('/')
}
