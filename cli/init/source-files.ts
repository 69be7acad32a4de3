import { readFileSync } from 'node:fs'
import { filesBelow } from '../app/find-files'

const CODE = /(?<!\.d)\.[cm]?[jt]s$/
const SPEC = /\.(?:spec|test|e2e-spec)\.[cm]?[jt]s$/
const NEVER_SEARCHED = [
  'node_modules',
  'coverage',
  'dist',
  'build',
  'out',
  'test',
  'tests',
  'spec',
  'specs',
  '__tests__',
  'e2e',
  'migrations',
]
/** Folders below the package: the search must end soon in a large one. */
const DEPTH = 6

/** The source files of a package whose text matches; of a compiled file beside its source only the source. */
export function sourcesWith(pattern: RegExp, root: string): string[] {
  const files = filesBelow(root, {
    fits: (name) => CODE.test(name) && !SPEC.test(name),
    except: NEVER_SEARCHED,
    depth: DEPTH,
    onePackage: true,
  }).filter((file) => pattern.test(readFileSync(file, 'utf8')))
  const known = new Set(files)
  return files.filter((file) => file.endsWith('ts') || !known.has(file.replace(/js$/, 'ts')))
}
