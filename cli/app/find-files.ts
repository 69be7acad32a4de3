import { type Dirent, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

/** Which file names match, and which folders are skipped; a folder is given by its name or the end of its path. */
export interface Search {
  readonly fits: (name: string) => boolean
  readonly except: readonly string[]
}

/**
 * The matching files below a folder. Skips hidden files and folders, and links to folders. Not a glob library: preparing
 * a pattern took as long as loading a worker's modules.
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
