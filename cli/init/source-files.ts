import { readFileSync } from 'node:fs'
import { filesBelow } from '../app/find-files'
import { placesOf, tokensOf } from './edit/tokens'

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

/**
 * The source files of a package that say this, a token a text, outside of comments and quotes; of a compiled file beside its source
 * only the source.
 */
export function sourcesThatSay(texts: readonly string[], root: string): string[] {
  const files = filesBelow(root, {
    fits: (name) => CODE.test(name) && !SPEC.test(name),
    except: NEVER_SEARCHED,
    depth: DEPTH,
    onePackage: true,
  }).filter((file) => says(textOf(file), texts))
  const known = new Set(files)
  return files.filter((file) => file.endsWith('ts') || !known.has(file.replace(/js$/, 'ts')))
}

/** A file whose tokens are not clear counts by its text: better a question to the reader than a second data source. */
function says(source: string, texts: readonly string[]): boolean {
  if (!texts.every((text) => source.includes(text))) return false
  const tokens = tokensOf(source)
  return tokens === undefined || placesOf(tokens, ...texts).length > 0
}

/** Empty for a link whose file is gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
