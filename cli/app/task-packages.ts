import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute } from 'node:path'
import { globbed } from '../../lib/tasks/globs'
import { importedEntry, packageFolder } from '../typescript/esm-package'

const PACKAGE = /^((?:@[\w.-]+\/)?[\w-][\w.-]*)(?:\/(.+))?$/

/** The files that an entry of TASK_MODULES means as the name of a package, or as a path or glob inside of one. */
export async function packageFiles(entry: string, appFile: string): Promise<string[]> {
  const [, name, inner] = PACKAGE.exec(entry) ?? []
  if (name === undefined) return []
  const file = resolved(entry, appFile)
  if (file !== undefined) return [file]
  const folder = packageFolder(name, appFile)
  return folder === undefined || inner === undefined ? [] : globbed(inner, realpathSync(folder))
}

/** True if the entry can only mean a package. */
export function isPackageName(entry: string): boolean {
  return PACKAGE.test(entry) && (entry.startsWith('@') || !/[*?{[(/.]/.test(entry))
}

function resolved(entry: string, appFile: string): string | undefined {
  try {
    const file = createRequire(appFile).resolve(entry)
    return isAbsolute(file) ? realpathSync(file) : undefined
  } catch {
    return importedEntry(entry, appFile)
  }
}
