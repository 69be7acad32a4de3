import { type Dirent, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

/** What the names of files must be, and the folders that are not looked into, each by its name or the end of its path. */
export interface Search {
  readonly fits: (name: string) => boolean
  readonly except: readonly string[]
}

/**
 * The files below a folder; without what is hidden, and without what links to folders. A pattern for this takes as long
 * to prepare as a worker's modules to load.
 */
export function filesBelow(top: string, { fits, except }: Search): string[] {
  const below = (folder: string): string[] =>
    entriesOf(folder)
      .filter(({ name }) => !name.startsWith('.'))
      .flatMap((entry) => {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) return isExcepted(path, except) ? [] : below(path)
        return fits(entry.name) ? [path] : []
      })
  return below(top)
}

/** What may not be read, or is gone, has none. */
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
