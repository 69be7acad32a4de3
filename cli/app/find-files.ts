import { type Dirent, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

/** Which file names match, and which folders are skipped; a folder is given by its name or the end of its path. */
export interface Search {
  readonly fits: (name: string) => boolean
  readonly except: readonly string[]
  /** How many folders down the search goes. Default: all. */
  readonly depth?: number
  /** Skip folders with a package.json of their own. Default false. */
  readonly onePackage?: boolean
}

/**
 * The matching files below a folder. Skips hidden files and folders, and links to folders. Not a glob library: preparing
 * a pattern took as long as loading a worker's modules.
 */
export function filesBelow(
  top: string,
  { fits, except, depth = Number.POSITIVE_INFINITY, onePackage = false }: Search,
): string[] {
  const below = (folder: string, left: number): string[] => {
    const entries = entriesOf(folder)
    if (onePackage && folder !== top && entries.some(({ name }) => name === 'package.json'))
      return []
    return entries
      .filter(({ name }) => !name.startsWith('.'))
      .flatMap((entry) => {
        const path = join(folder, entry.name)
        if (entry.isDirectory())
          return left === 0 || isExcepted(path, except) ? [] : below(path, left - 1)
        return fits(entry.name) ? [path] : []
      })
  }
  return below(top, depth)
}

/** Empty if the folder cannot be read or no longer exists. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function isExcepted(folder: string, except: readonly string[]): boolean {
  return except.some((path) => folder.endsWith(sep + path.split('/').join(sep)))
}
