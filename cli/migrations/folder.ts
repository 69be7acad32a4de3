import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { getTsconfig } from 'get-tsconfig'
import type { DataSourceOptions } from 'typeorm'
import { UsageError } from '../../lib/errors/errors'

/** The app, as far as the place of a new migration depends on it. */
export interface Place {
  readonly migrations: DataSourceOptions['migrations']
  readonly language: 'ts' | 'js'
  /** The folder of the app's package. */
  readonly root: string
  /** The file that exports the DataSource. */
  readonly file: string
}

export interface Folder {
  readonly path: string
  /** What was assumed, or must still be done, for TypeORM to find the migration there. */
  readonly notes: readonly string[]
}

/** Where the app keeps its migrations: the folder of the first glob in the DataSource's `migrations`. */
export function migrationsFolder(app: Place): Folder {
  const glob = globsOf(app.migrations)[0]
  if (glob === undefined) return besideDataSource(app)
  const folder = absolute(folderOf(glob), app.root)
  const source = app.language === 'ts' ? sourceOf(folder, app.root) : undefined
  if (source === undefined) return { path: folder, notes: unlistedNote(glob, app.language) }
  return {
    path: source,
    notes: [
      `The DataSource lists ${glob}, which is build output: the migration goes to ${shown(source)}, to be compiled with the app.`,
    ],
  }
}

/** What TypeORM takes for globs: everything but classes. */
function globsOf(migrations: DataSourceOptions['migrations']): string[] {
  return Object.values(migrations ?? []).filter((entry) => typeof entry === 'string')
}

function besideDataSource({ file, language, migrations }: Place): Folder {
  const path = join(dirname(file), 'migrations')
  const why =
    Object.keys(migrations ?? []).length > 0 ? 'lists classes only' : 'lists no migrations'
  return {
    path,
    notes: [
      `The DataSource ${why}: add the new one, for instance by \`migrations: ['${shown(path)}/*.${language}']\`.`,
    ],
  }
}

/** The folder part of a glob; `**` stands for no folder, and `{a,b}` for its first. */
function folderOf(glob: string): string {
  const parts = glob.replaceAll('\\', '/').split('/')
  const folders = isFilePattern(parts.at(-1) ?? '') ? parts.slice(0, -1) : parts
  const path = folders
    .filter((part) => part !== '**')
    .join('/')
    .replace(/\{([^,{}]*),[^{}]*\}/g, '$1')
  if (!/[*?[\]{}()!]/.test(path)) return path || (glob.startsWith('/') ? '/' : '.')
  throw new UsageError(
    `The DataSource's migrations, ${glob}, name no single folder.`,
    'Name one: --outdir path/to/migrations.',
  )
}

function isFilePattern(part: string): boolean {
  return /[*?{[]|\.[cm]?[jt]s$/.test(part) && part !== '**'
}

/** TypeORM resolves globs from where the process was started, which need not be the app's own folder. */
function absolute(folder: string, root: string): string {
  const fromHere = resolve(folder)
  return existsSync(fromHere) ? fromHere : resolve(root, folder)
}

/** The folder whose files are compiled into this one, if it is inside the app's build output. */
function sourceOf(folder: string, root: string): string | undefined {
  const options = getTsconfig(root)?.config.compilerOptions
  const outputs = [options?.outDir ?? 'dist', 'dist', 'build'].map((output) =>
    resolve(root, output),
  )
  const output = outputs.find((candidate) => candidate !== root && isWithin(folder, candidate))
  if (output === undefined) return undefined
  const rootDir = resolve(root, options?.rootDir ?? (existsSync(join(root, 'src')) ? 'src' : '.'))
  const inside = relative(output, folder)
  const candidates = [join(rootDir, inside), join(root, inside)]
  return candidates.find(existsSync) ?? candidates[0]
}

function unlistedNote(glob: string, language: 'ts' | 'js'): string[] {
  const file = glob.split('/').at(-1) ?? ''
  const fits = !file.includes('.') || file.includes(language) || file.endsWith('.*')
  return fits
    ? []
    : [`The DataSource lists ${glob}, which no .${language} file fits: add one that does.`]
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** A path as seen from where the command was called. */
export function shown(path: string): string {
  return (isWithin(path, process.cwd()) ? relative(process.cwd(), path) || '.' : path)
    .split(sep)
    .join('/')
}
