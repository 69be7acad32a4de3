import { constants, existsSync, lstatSync, statSync } from 'node:fs'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LoadError } from '../../lib/errors/errors'

/** A file that is written, or changed if it had a text before. */
export interface Change {
  readonly file: string
  readonly before?: string
  readonly after: string
}

/** Refuses where a file could not be written, before the first one is. @throws LoadError */
export async function assertWritable(changes: readonly Change[]): Promise<void> {
  for (const { file, before } of changes) {
    if (before === undefined) assertFree(file)
    const path = before === undefined ? folderFor(file) : file
    try {
      await access(path, constants.W_OK)
    } catch (cause) {
      throw unwritable(file, path, cause)
    }
  }
}

/** Of files that are there none is written anew, so what is there now is a link to nothing. */
function assertFree(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined && !existsSync(file))
    throw new LoadError(
      `${file} is a link to a file that is not there.`,
      'Delete the link, or put a file where it leads to.',
    )
}

/** The folder that the file, or the folders above it, are made in. @throws LoadError for a file in place of a folder */
export function folderFor(file: string): string {
  const folder = dirname(file)
  if (!existsSync(folder)) return folderFor(folder)
  if (statSync(folder).isDirectory()) return folder
  throw new LoadError(
    `${folder} is no folder, so nothing can be written into it.`,
    'Rename that file.',
  )
}

/** Writes new files, and changed ones that are still as they were read. @throws LoadError */
export async function write({ file, before, after }: Change): Promise<void> {
  try {
    if (before !== undefined && (await readFile(file, 'utf8')) !== before)
      throw new LoadError(
        `${file} was changed while the command waited.`,
        'Run npx tasks init again.',
      )
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, after, before === undefined ? { flag: 'wx' } : {})
  } catch (cause) {
    throw cause instanceof LoadError ? cause : unwritable(file, file, cause)
  }
}

/** Where somebody may not write. */
export function unwritable(file: string, path: string, cause: unknown): LoadError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new LoadError(
    `${file} cannot be written (${code}).`,
    `Make ${path} writable for you, or see with --dry-run what to write there.`,
    { cause },
  )
}
