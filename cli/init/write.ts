import { constants, existsSync } from 'node:fs'
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
    const path = before === undefined ? existingFolder(dirname(file)) : file
    try {
      await access(path, constants.W_OK)
    } catch (cause) {
      throw unwritable(file, path, cause)
    }
  }
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

function existingFolder(folder: string): string {
  return existsSync(folder) ? folder : existingFolder(dirname(folder))
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
