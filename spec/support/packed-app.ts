import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const repository = join(__dirname, '../..')

/** Packs the library into a folder, as it would be published; gives the path of the tarball. */
export function packInto(folder: string): string {
  const packed = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as { filename: string }[]
  return join(folder, packed[0]!.filename)
}

/** Installs packages into a folder, from npm's cache where it has them. */
export function installInto(folder: string, packages: readonly string[]): void {
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
  execFileSync('npm', ['install', ...options, ...packages], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

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

/** The version of a package that this repository has. */
export function versionOf(name: string): string {
  const file = join(repository, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
