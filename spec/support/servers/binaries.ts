import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Place } from './place'

/** The first folder that has one of each row of programs. */
export function folderWith(
  folders: readonly string[],
  ...programs: readonly string[]
): string | undefined {
  return folders.find((folder) => programs.every((program) => existsSync(join(folder, program))))
}

/** The folders of PATH, and those of system programs that an ordinary PATH leaves out. */
export function searchPath(): string[] {
  return [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/bin',
  ].filter((folder) => folder !== '')
}

/** What a program prints, or nothing if there is no such program. */
export function said(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}

/** Runs an installer inside the place, as the place's account. */
export async function install(place: Place, file: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(file, args, { ...place.as, cwd: place.folder })
}
