import type * as tinyglobby from 'tinyglobby'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, join, parse } from 'node:path'

/** A glob, split after the folders that exist under exactly the names that it has. */
export interface SplitGlob {
  readonly folder: string
  /** The rest of the glob, relative to `folder`; empty if the glob names that folder itself. */
  readonly rest: string
}

/**
 * Folders may have names that are patterns too, such as `my app (x)` or `[app]`; a glob made by `join(__dirname, …)` contains
 * them as they are. A folder that exists is meant literally.
 */
export function splitGlob(glob: string, from: string): SplitGlob {
  const parts = partsOf(glob)
  let folder = from
  if (isAbsolute(glob)) {
    folder = parse(glob).root
    parts.shift()
  }
  while (parts.length > 0) {
    const [part = ''] = parts
    const next = join(folder, unescaped(part))
    if (/[*?]/.test(part) || !isFolder(next)) break
    folder = next
    parts.shift()
  }
  return { folder, rest: parts.join('/') }
}

/** The files that match, by real path, sorted; none in node_modules unless the glob names that folder. */
export async function globbed(glob: string, from: string): Promise<string[]> {
  const { folder, rest } = splitGlob(glob, from)
  if (rest === '') return []
  const file = join(folder, unescaped(rest))
  if (!rest.includes('/') && existsSync(file)) return [realpathSync(file)]
  // Loaded here because most apps have no globs of tasks.
  const { glob: search } = require('tinyglobby') as typeof tinyglobby
  const found = await search(rest, {
    cwd: realpathSync(folder),
    ignore: rest.includes('node_modules') ? [] : ['**/node_modules/**'],
    // Packages of a workspace are links in node_modules; elsewhere a link could lead in a circle.
    followSymbolicLinks: rest.includes('node_modules') || !rest.includes('**'),
    absolute: true,
    expandDirectories: false,
  })
  return [...new Set(found.map((path) => realpathSync(join(path))))].toSorted()
}

/** True for JavaScript and TypeScript that runs; not for declarations of types, nor for specs. */
export function isCode(file: string): boolean {
  return (
    /\.[mc]?[jt]s$/.test(file) && !/\.d\.[mc]?ts$/.test(file) && !/\.(spec|test)\.\w+$/.test(file)
  )
}

/** On Windows a backslash separates; elsewhere one before a character of patterns escapes it. */
function partsOf(glob: string): string[] {
  return glob.split(process.platform === 'win32' ? /[\\/]/ : /\/|\\(?![()[\]{}!*?+@\\])/)
}

function unescaped(part: string): string {
  return part.replace(/\\(.)/g, '$1')
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}
