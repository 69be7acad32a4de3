// Builds `dist` from scratch: stale files of an earlier layout would be packed otherwise.
// With --if-stale only when a source, or a folder of sources, is newer than the build.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

const SOURCES = ['lib', 'entities', 'backends', 'cli']
const FILES = ['index.ts', 'tsconfig.json', 'package.json', 'node_modules/typescript/package.json']
/** Made last, so a build that did not end is stale. */
const LAST = 'dist/cli/index.js'

if (!process.argv.includes('--if-stale') || isStale()) build()

function build() {
  rmSync('dist', { recursive: true, force: true })
  // Not `npx tsc`: other versions of TypeScript, installed for the specs, have a program of that name, too.
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
    stdio: 'inherit',
  })
  chmodSync(LAST, 0o755)
}

function isStale() {
  if (!existsSync(LAST) || (statSync(LAST).mode & 0o111) === 0) return true
  // A folder is newer when a file in it was removed or renamed.
  const inside = SOURCES.flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  ])
  const newest = Math.max(...[...FILES, ...inside].map((path) => statSync(path).mtimeMs))
  return newest > statSync(LAST).mtimeMs
}
