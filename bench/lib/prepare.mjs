import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const bench = fileURLToPath(new URL('..', import.meta.url))
export const repository = join(bench, '..')

/** Installs what is missing and builds the library, so that what is measured is what the sources say. */
export function prepare() {
  if (!existsSync(join(repository, 'node_modules'))) run('npm', ['ci'], repository)
  if (!existsSync(nodeProgram())) run('npm', ['ci'], bench)
  run(process.execPath, ['scripts/build.mjs'], repository)
}

/** One Node for all contenders: the pinned one, since some need a newer than the library does. */
export function nodeProgram() {
  return join(bench, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

function run(file, args, cwd) {
  const { status, error } = spawnSync(file, args, {
    cwd,
    stdio: ['ignore', process.stderr, process.stderr],
  })
  if (status === 0) return
  process.stderr.write(
    `\n"${[file, ...args].join(' ')}" in ${cwd} did not succeed${error ? `: ${error.message}` : ''}. Nothing was measured.\n`,
  )
  process.exit(1)
}
