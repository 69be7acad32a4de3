import { createRequire } from 'node:module'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadFault } from '../../lib/errors/error-record'
import { LoadError } from '../../lib/errors/errors'
import { during, loading } from '../unfinished'
import { hasOwnLoader, isStripped, isTypeScript } from '../typescript/require-hook'

/** Loads a file of the app in any language and module system. @throws LoadError with the file's own error as `cause` */
export async function loadFile(file: string): Promise<unknown> {
  try {
    return await during(loading(file), () => (isImported(file) ? imported(file) : required(file)))
  } catch (cause) {
    if (cause instanceof LoadError) throw cause
    throw new LoadError(`${file} does not load: ${loadFault(cause)}.`, mendOf(cause), { cause })
  }
}

/** The folder of the nearest package.json above a file, and its "type", undefined if it has none. */
export function packageAbove(file: string): { root: string; type: unknown } {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return { root: folder, type: typeIn(path) }
    if (folder === dirname(folder)) return { root: dirname(file), type: undefined }
  }
}

function typeIn(path: string): unknown {
  try {
    return (
      JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')) as { type?: unknown } | null
    )?.type
  } catch (cause) {
    throw new LoadError(`${path} is not valid JSON: ${loadFault(cause)}.`, 'Fix that file.', {
      cause,
    })
  }
}

/** True for ES modules, by TypeORM's rule for its globs. False for TypeScript that our loader compiles, because it makes CommonJS. */
function isImported(file: string): boolean {
  if (isTypeScript(file) && !hasOwnLoader()) return false
  if (/\.m[jt]s$/.test(file)) return true
  return !/\.c[jt]s$/.test(file) && packageAbove(file).type === 'module'
}

/** Node detects an ES module in a `.js` file of a package without "type"; `require` fails only if it has top-level await. */
async function required(file: string): Promise<unknown> {
  try {
    return createRequire(file)(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_REQUIRE_ASYNC_MODULE')
      return imported(file)
    throw error
  }
}

function imported(file: string): Promise<unknown> {
  return import(pathToFileURL(file).href)
}

const NO_METADATA =
  'Node was started with a TypeScript loader (tsx?) that emits no decorator metadata: start without it.'

const STRIPPED =
  'The app has no compiler, so Node itself removes the types: imports then need the file ending (.ts) and no "type": "commonjs" in package.json, and enums, decorators and "paths" do not work. For those run: npm install --save-dev @swc/core'

function mendOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code
  const isMissing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  if (isStripped() && (isMissing || error instanceof SyntaxError)) return STRIPPED
  if (isMissing)
    return 'Install that package, or correct the path (also in tsconfig.json if it is one of "paths").'
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return 'Start without the TypeScript loader, or enable its option for ES modules.'
  return lacksMetadata(error) ? NO_METADATA : 'Fix the error there; -v 3 shows the stack trace.'
}

function lacksMetadata(error: unknown): boolean {
  return hasOwnLoader() && error instanceof Error && error.name === 'ColumnTypeUndefinedError'
}
