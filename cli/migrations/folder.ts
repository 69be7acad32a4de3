import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { getTsconfig } from 'get-tsconfig'
import type { DataSourceOptions } from 'typeorm'
import { UsageError } from '../../lib/errors/errors'
import { splitGlob } from '../../lib/tasks/globs'

/** What the folder of a new migration depends on. */
export interface MigrationSettings {
  readonly migrations: DataSourceOptions['migrations']
  readonly language: 'ts' | 'js'
  /** The folder of the app's package. */
  readonly root: string
  /** The file that exports the DataSource. */
  readonly file: string
}

export interface Folder {
  readonly path: string
  /** Assumptions, and what the user must still do for TypeORM to find the migration. */
  readonly notes: readonly string[]
  /** The only one that TypeORM looks for there in JavaScript, if it is another than `.js`. */
  readonly ending?: 'mjs' | 'cjs'
}

/** The app's migrations folder: that of the first glob in the DataSource's `migrations`. @throws UsageError if the glob names several */
export function migrationsFolder(app: MigrationSettings): Folder {
  const glob = globsOf(app.migrations)[0]
  if (glob === undefined) return besideDataSource(app)
  const { path, notes } = folderNamed(glob, app)
  const ending = /\.(mjs|cjs)$/.exec(glob)?.[1]
  return {
    path,
    notes: [...notes, ...patternNote(glob)],
    ...(ending === 'mjs' || ending === 'cjs' ? { ending } : {}),
  }
}

function folderNamed(glob: string, app: MigrationSettings): Folder {
  const folder = folderOf(glob, app.root)
  const source = app.language === 'ts' ? sourceOf(folder, app.root) : undefined
  if (source === undefined) return { path: folder, notes: unlistedNote(glob, app.language) }
  return {
    path: source,
    notes: [
      `The DataSource lists ${glob}, which is build output. The migration goes to ${shown(source)} and is compiled with the app.`,
    ],
  }
}

/** The globs among TypeORM's `migrations`; the rest are classes. */
function globsOf(migrations: DataSourceOptions['migrations']): string[] {
  return Object.values(migrations ?? []).filter((entry) => typeof entry === 'string')
}

function besideDataSource(app: MigrationSettings): Folder {
  const path = join(dirname(app.file), 'migrations')
  return { path, notes: [unlisted(path, app)] }
}

/** The folder that somebody has named, with a note if TypeORM does not look for migrations there. */
export function givenFolder(path: string, app: MigrationSettings): Folder {
  const folders = globsOf(app.migrations).map((glob) => foldersOf(glob, app.root))
  // A glob of several folders may have this one among them.
  const mayBeListed = folders.some((found) => found.length === 0 || found.includes(path))
  return { path, notes: mayBeListed ? [] : [unlisted(path, app)] }
}

/** Where TypeORM may look for the files of a glob, and the sources of build output; none if the glob names several folders. */
function foldersOf(glob: string, root: string): string[] {
  return [process.cwd(), root]
    .flatMap((from) => plainFolder(glob, from) ?? [])
    .flatMap((folder) => [folder, sourceOf(folder, root) ?? folder])
}

function unlisted(path: string, { language, migrations }: MigrationSettings): string {
  const globs = globsOf(migrations)
  const why =
    globs.length > 0
      ? `lists ${globs.join(', ')} only`
      : Object.keys(migrations ?? []).length > 0
        ? 'lists classes only'
        : 'lists no migrations'
  return `The DataSource ${why}: add the new one, for example \`migrations: ['${shown(path)}/*.${language}']\`.`
}

/** The folder of a glob's files; `**` stands for no folder, and `{a,b}` for its first. */
function folderOf(glob: string, root: string): string {
  // TypeORM resolves globs from the current folder, which may differ from the app's root.
  const found = [process.cwd(), root].flatMap((from) => plainFolder(glob, from) ?? [])
  const path = found.find(existsSync) ?? found.at(-1)
  if (path !== undefined) return path
  throw new UsageError(
    `The DataSource's migrations, ${glob}, do not name a single folder.`,
    'Give the folder: --outdir path/to/migrations.',
  )
}

/** Undefined if the glob names several folders. */
function plainFolder(glob: string, from: string): string | undefined {
  const { folder, rest } = splitGlob(glob, from)
  const parts = rest.split('/')
  const tail = (isFilePattern(parts.at(-1) ?? '') ? parts.slice(0, -1) : parts)
    .filter((part) => part !== '**')
    .join('/')
    .replace(/\{([^,{}]*),[^{}]*\}/g, '$1')
  return /[*?[\]{}()!]/.test(tail) ? undefined : join(folder, tail)
}

function isFilePattern(part: string): boolean {
  return /[*?{[]|\.[cm]?[jt]s$/.test(part) && part !== '**'
}

/** If the folder is build output: the source folder that is compiled into it. */
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
    : [`The DataSource lists ${glob}, which matches no .${language} file: add a glob that does.`]
}

/** TypeORM reads the names of existing folders as patterns. */
function patternNote(glob: string): string[] {
  const named = glob.slice(0, glob.length - splitGlob(glob, '.').rest.length)
  return /(?<!\\)[()[\]{}]/.test(named)
    ? [
        `TypeORM may read the brackets in ${named} as a pattern and not find the migration: list migrations relative to the current folder, or put a backslash before each bracket.`,
      ]
    : []
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** A path relative to the current folder, if it is inside. */
export function shown(path: string): string {
  return (isWithin(path, process.cwd()) ? relative(process.cwd(), path) || '.' : path)
    .split(sep)
    .join('/')
}
