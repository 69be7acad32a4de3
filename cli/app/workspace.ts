import type * as tinyglobby from 'tinyglobby'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The nearest folder with a package.json, from the current folder upwards; undefined if there is none. */
export function currentPackage(): string | undefined {
  return above(realpathSync(process.cwd()), (folder) => existsSync(join(folder, 'package.json')))
}

/** The packages of the workspace (npm, yarn, pnpm) that a folder is the root of; empty if it is none. */
export async function workspacePackages(root: string): Promise<string[]> {
  const patterns = patternsOf(root)
  if (patterns.length === 0) return []
  const { glob } = require('tinyglobby') as typeof tinyglobby
  const found = await glob(
    patterns.map((pattern) => `${pattern.replace(/\/+$/, '')}/package.json`),
    { cwd: root, ignore: ['**/node_modules/**'], absolute: true, expandDirectories: false },
  )
  return found.map((file) => dirname(join(file))).toSorted()
}

/** The root of the workspace that a folder is in, or is the root of. */
export function workspaceAbove(folder: string): string | undefined {
  return above(folder, (each) => patternsOf(each).length > 0)
}

function above(from: string, fits: (folder: string) => boolean): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (fits(folder)) return folder
    if (folder === dirname(folder)) return undefined
  }
}

function patternsOf(root: string): string[] {
  return [
    ...ofManifest(read(join(root, 'package.json'))),
    ...ofPnpm(read(join(root, 'pnpm-workspace.yaml'))),
  ]
}

function ofManifest(text: string): string[] {
  try {
    const { workspaces } = JSON.parse(text || '{}') as {
      workspaces?: string[] | { packages?: string[] }
    }
    const patterns = Array.isArray(workspaces) ? workspaces : workspaces?.packages
    return Array.isArray(patterns) ? patterns.filter((each) => typeof each === 'string') : []
  } catch {
    return [] // whoever needs that package.json says what is wrong with it
  }
}

/** The list under `packages:`, in the form that pnpm's documentation shows. */
function ofPnpm(text: string): string[] {
  const [, list = ''] = /^packages:[ \t]*\r?\n((?:[ \t]*(?:-.*|#.*)?\r?\n?)*)/m.exec(text) ?? []
  return [...list.matchAll(/^[ \t]*-[ \t]*["']?([^"'#\r\n]+?)["']?[ \t]*(?:#.*)?$/gm)].flatMap(
    ([, pattern]) => pattern ?? [],
  )
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
