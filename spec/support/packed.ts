import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const repository = realpathSync(join(__dirname, '../..'))

/** A temporary folder that is gone after the spec file. */
export function temporaryFolder(name: string): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `typeorm-tasks-${name}-`)))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The package as it would be published, packed into the folder; gives the path of the tarball. */
export function packInto(folder: string): string {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as { filename: string }[]
  return join(folder, packed!.filename)
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
