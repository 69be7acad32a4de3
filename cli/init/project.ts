import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { loadFault } from '../../lib/errors/error-record'
import { LoadError } from '../../lib/errors/errors'
import { currentPackage } from '../app/workspace'
import { packageFolder } from '../typescript/esm-package'

/** How programs of the app's packages are called, by the package manager. */
export interface Manager {
  readonly name: 'npm' | 'pnpm' | 'yarn' | 'bun'
  /** The file that tells; undefined if none does. */
  readonly lockFile?: string
  /** Runs a package's program: `npx`. */
  readonly exec: string
  /** Runs a script of package.json: `npm run`. */
  readonly run: string
  /** Adds a package: `npm install`. */
  readonly add: string
}

/** The package that the command was called in. */
export interface Project {
  readonly root: string
  /** The text of its package.json. */
  readonly manifest: string
  readonly name: string
  readonly manager: Manager
  readonly typeorm: string | undefined
  /** The version of the app's TypeScript, if it has one. */
  readonly typescript: string | undefined
  /** The version of @nestjs/core, if the app has it. */
  readonly nest: string | undefined
}

const LOCK_FILES = {
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
} as const satisfies Record<string, Manager['name']>

const MANAGERS: Readonly<Record<Manager['name'], Pick<Manager, 'exec' | 'run' | 'add'>>> = {
  npm: { exec: 'npx', run: 'npm run', add: 'npm install' },
  pnpm: { exec: 'pnpm exec', run: 'pnpm run', add: 'pnpm add' },
  yarn: { exec: 'yarn', run: 'yarn', add: 'yarn add' },
  bun: { exec: 'bunx', run: 'bun run', add: 'bun add' },
}

/** Looks at the package that the current folder is in. @throws LoadError if there is none, or it has not what the command needs */
export function findProject(cwd: string): Project {
  const root = currentPackage()
  if (root === undefined)
    throw new LoadError(
      `There is no package.json in ${cwd}, nor in a folder above it.`,
      'Go to the folder of your app; in a new one run "npm init -y" and "npm install typeorm-tasks typeorm" first.',
    )
  const path = join(root, 'package.json')
  const manifest = readFileSync(path, 'utf8')
  const parsed = parsedManifest(path, manifest)
  const manager = managerOf(root, parsed.packageManager)
  assertInstalled(path, manager)
  return {
    root,
    manifest,
    name: typeof parsed.name === 'string' ? parsed.name : '(no name)',
    manager,
    typeorm: versionOf(path, 'typeorm'),
    typescript: versionOf(path, 'typescript'),
    nest: versionOf(path, '@nestjs/core'),
  }
}

/** How many files differ from the last commit; undefined where there is no git repository. */
export function changesInGit(root: string): number | undefined {
  try {
    const told = execFileSync('git', ['status', '--porcelain'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return told.split('\n').filter((line) => line !== '').length
  } catch {
    return undefined
  }
}

interface Manifest {
  readonly name?: unknown
  readonly packageManager?: unknown
}

function parsedManifest(path: string, text: string): Manifest {
  const parsed = parsedJson(path, text)
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  throw new LoadError(`${path} is no JSON object.`, 'Write it anew: npm init -y')
}

function parsedJson(path: string, text: string): unknown {
  try {
    // Editors of Windows put a byte order mark before it, and npm reads past it.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown
  } catch (cause) {
    throw new LoadError(`${path} is not valid JSON: ${loadFault(cause)}.`, 'Fix that file.', {
      cause,
    })
  }
}

/** By the lock file, which may be that of a workspace around the package; else by package.json. */
function managerOf(root: string, told: unknown): Manager {
  for (let folder = root; ; folder = dirname(folder)) {
    for (const [lockFile, name] of Object.entries(LOCK_FILES))
      if (existsSync(join(folder, lockFile))) return { name, lockFile, ...MANAGERS[name] }
    if (existsSync(join(folder, '.git')) || folder === dirname(folder)) break
  }
  const [said = ''] = typeof told === 'string' ? told.split('@') : []
  const name = isManager(said) ? said : 'npm'
  return { name, ...MANAGERS[name] }
}

function isManager(name: string): name is Manager['name'] {
  return Object.hasOwn(MANAGERS, name)
}

function assertInstalled(from: string, { add }: Manager): void {
  const missing = ['typeorm-tasks', 'typeorm'].filter((name) => !isInstalled(from, name))
  if (missing.length > 0)
    throw new LoadError(
      `${dirname(from)} does not have ${missing.join(' and ')} installed.`,
      `Run: ${add} ${missing.join(' ')}`,
    )
}

/** Yarn Plug'n'Play has no folders of packages. */
function isInstalled(from: string, name: string): boolean {
  if (packageFolder(name, from) !== undefined) return true
  try {
    return createRequire(from).resolve(name) !== ''
  } catch {
    return false
  }
}

/** The version of an installed package; undefined if it is not there. */
export function versionOf(from: string, name: string): string | undefined {
  const folder = packageFolder(name, from)
  if (folder === undefined) return undefined
  const path = join(folder, 'package.json')
  return (parsedJson(path, readFileSync(path, 'utf8')) as { version?: string }).version
}
