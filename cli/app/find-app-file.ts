import { existsSync, realpathSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { LoadError } from '../../lib/errors/errors'
import { isFile } from '../typescript/require-hook'
import { filesBelow } from './find-files'

/** Where to look for the DataSource without --data-source. */
const DEFAULT_FILES = [
  'ormconfig',
  'data-source',
  'src/data-source',
  'src/database/data-source',
  'src/db/data-source',
].flatMap((name) => [`${name}.ts`, `${name}.js`])

/** Names that files with a DataSource often have, for hints. */
const USUAL_NAME =
  /^(.+\.)?(ormconfig|orm\.config|typeorm\.config|typeorm|data[-_.]?source)\.[cm]?[jt]s$/i
const NEVER_SEARCHED = ['node_modules', 'coverage', 'dist', 'build', 'out']
/** Folders below the searched one, for hints: the search must end soon in a large folder. */
const HINT_DEPTH = 4
const MOST_HINTS = 3

/** The file with the app's DataSource: the given one, else the first of the usual ones. @throws LoadError */
export function findAppFile(given: string | undefined, cwd: string): string {
  const wanted =
    given === undefined
      ? DEFAULT_FILES
      : ['', '.ts', '.js', '.mts', '.cts', '.mjs', '.cjs'].map((ending) => given + ending)
  const found = wanted.map((name) => resolve(cwd, name)).find(isFile)
  if (found) return realpathSync(found)
  throw given === undefined ? noFile(cwd) : notAFile(given, cwd)
}

function noFile(cwd: string): LoadError {
  return new LoadError(
    `No data source file in ${cwd}. Looked for ${DEFAULT_FILES.join(', ')}.`,
    hint(cwd, cwd) ?? 'Give its path: --data-source path/to/file.',
  )
}

function notAFile(given: string, cwd: string): LoadError {
  const path = resolve(cwd, given)
  if (existsSync(path))
    return new LoadError(
      `--data-source: ${path} is a folder.`,
      hint(path, cwd) ?? 'Give the file that exports the DataSource: --data-source path/to/file.',
    )
  return new LoadError(
    `The data source file ${path} does not exist.`,
    `Give its path relative to ${cwd} with --data-source${/\.[mc]?js$/.test(given) ? ', or compile the app first' : ''}.`,
  )
}

/** Names the files that look like the one. */
function hint(folder: string, cwd: string): string | undefined {
  const found = filesBelow(folder, {
    fits: (name) => USUAL_NAME.test(name),
    except: NEVER_SEARCHED,
    depth: HINT_DEPTH,
  }).map((file) => relative(cwd, file).split(sep).join('/'))
  const index = ['index.ts', 'index.js'].map((name) => join(folder, name)).find(isFile)
  if (found.length === 0 && index !== undefined && folder !== cwd) found.push(relative(cwd, index))
  if (found.length === 0) return undefined
  return `Give the file that exports the DataSource; is it ${found
    .slice(0, MOST_HINTS)
    .map((file) => `--data-source ${file}`)
    .join(' or ')}?`
}
