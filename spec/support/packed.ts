import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onceForRun } from './once.cjs'

export const repository = realpathSync(join(__dirname, '../..'))

/** A temporary folder that is gone after the spec file. */
export function temporaryFolder(name: string): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `typeorm-tasks-${name}-`)))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The package as it would be published, packed once for all specs of a run; gives the path of the tarball. */
export function tarball(): string {
  const folder = onceForRun('tarball', (at) => {
    execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', at], {
      cwd: repository,
      stdio: 'ignore',
    })
  })
  const [name] = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
  return join(folder, name!)
}

/** Gives the folder these packages as `installInto` does; npm installs them once for all specs of a run that name the same. */
export function installOnceInto(folder: string, packages: readonly string[]): void {
  const key = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 16)
  const made = onceForRun(`installed-${key}`, (at) => {
    writeFiles(at, { 'package.json': { private: true } })
    installInto(at, packages)
  })
  execFileSync('cp', ['-a', join(made, 'node_modules'), folder])
}

export function installInto(folder: string, packages: readonly string[]): void {
  execFileSync(
    'npm',
    ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', ...packages],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
  )
}

/** Makes a package of the repository one of the folder's, e.g. one that is compiled for this machine. */
export function linkInto(folder: string, name: string, as = name): void {
  const target = join(repository, 'node_modules', name)
  const at = join(folder, 'node_modules', as)
  if (existsSync(at) || !existsSync(target)) return
  mkdirSync(dirname(at), { recursive: true })
  symlinkSync(target, at, 'junction')
}

/** Files by path; what is no text is written as JSON. */
export function writeFiles(folder: string, files: Readonly<Record<string, unknown>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2)
    writeFileSync(join(folder, path), text)
  }
}

/** The version that the repository has installed. */
export function versionOf(name: string): string {
  return (
    JSON.parse(readFileSync(join(repository, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string
    }
  ).version
}

/** The same as npm takes it, e.g. `typeorm@1.1.1`. */
export function asInstalled(name: string): string {
  return `${name}@${versionOf(name)}`
}

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of Node in the folder. */
export function runNode(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_ENV: '', NODE_OPTIONS: '', ...env },
  })
  return { status, stdout, stderr }
}
