import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const repository = realpathSync(join(__dirname, '../..'))

const commands: Record<string, string> = {
  tasks: 'dist/cli/index.js',
  typeorm: 'node_modules/typeorm/cli.js',
  tsc: 'node_modules/typescript/bin/tsc',
}

const made: string[] = []

afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

/** A folder outside the repository where these packages, this one and the commands are installed; gone after the spec file. */
export function newApp(packages: readonly string[]): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-example-')))
  made.push(folder)
  for (const name of packages)
    link(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
  link(repository, join(folder, 'node_modules/typeorm-tasks'))
  mkdirSync(join(folder, 'node_modules/.bin'))
  for (const [name, file] of Object.entries(commands)) {
    const text = `#!/bin/sh\nexec "${process.execPath}" "${join(repository, file)}" "$@"\n`
    writeFileSync(join(folder, 'node_modules/.bin', name), text, { mode: 0o755 })
  }
  return folder
}

/** Copies files and folders of the repository into the app. */
export function copyInto(folder: string, from: string, names: readonly string[]): void {
  for (const name of names)
    cpSync(join(repository, from, name), join(folder, name), { recursive: true })
}

/** Where a shell finds the app's commands, without npx. */
export function pathOf(folder: string): string {
  return `${join(folder, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
}

/** Links a package, or a folder, where an app has its own. */
export function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'junction')
}
