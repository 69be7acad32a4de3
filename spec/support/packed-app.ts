import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repository } from './packed'

/** better-sqlite3 as this repository has it, since compiling takes a minute. Copied: bundlers follow no link out of the app. */
export function copySqliteInto(folder: string): void {
  const parts = [
    'better-sqlite3/package.json',
    'better-sqlite3/lib',
    'better-sqlite3/build/Release/better_sqlite3.node',
    'bindings',
    'file-uri-to-path',
    '@types/better-sqlite3',
  ]
  for (const part of parts)
    cpSync(join(repository, 'node_modules', part), join(folder, 'node_modules', part), {
      recursive: true,
    })
}

/** Writes the files of a page's blocks, each under the path that its first line names. */
export function writeFilesOf(page: string, folder: string): string[] {
  const text = readFileSync(join(repository, page), 'utf8')
  const blocks = text.matchAll(/^```\w+\n\/\/ ([\w./-]+)\n([\s\S]*?)^```/gm)
  return [...blocks].map(([, path = '', content = '']) => {
    const file = join(folder, path)
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    return path
  })
}
