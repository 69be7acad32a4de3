import { createRequire } from 'node:module'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LoadError } from '../../lib/errors/errors'
import { hasOwnLoader, isTypeScript } from '../typescript/require-hook'

/** Loads a file of the app, whatever its language and module system; an error in it is shown as it is. */
export async function loadFile(file: string): Promise<unknown> {
  try {
    return isImported(file) ? await imported(file) : await required(file)
  } catch (cause) {
    if (cause instanceof LoadError) throw cause
    throw new LoadError(`${file} does not load: ${described(cause)}.`, mendOf(cause), { cause })
  }
}

/** The nearest package.json above a file: its folder, and its "type" where it names one. */
export function packageAbove(file: string): { root: string; type: unknown } {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return { root: folder, type: typeIn(path) }
    if (folder === dirname(folder)) return { root: dirname(file), type: undefined }
  }
}

function typeIn(path: string): unknown {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { type?: unknown } | null)?.type
  } catch (cause) {
    throw new LoadError(`${path} is no JSON: ${described(cause)}.`, 'Mend that file.', { cause })
  }
}

/** ES modules, by TypeORM's own rule for its globs; TypeScript only where the app's own loader reads it, since ours makes CommonJS. */
function isImported(file: string): boolean {
  if (isTypeScript(file) && !hasOwnLoader()) return false
  if (/\.m[jt]s$/.test(file)) return true
  return !/\.c[jt]s$/.test(file) && packageAbove(file).type === 'module'
}

/** A `.js` of a package without "type" may be an ES module too: Node looks at the text, and refuses only those that await. */
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
  'The TypeScript loader that Node was started with (tsx?) emits no decorator metadata: start without it.'

function described(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`
  const [message = ''] = error.message.split('\nRequire stack:')
  const place =
    error instanceof SyntaxError ? /^(\S+:\d+)$/m.exec(error.stack ?? '')?.[1] : undefined
  return `${error.name}: ${message}${place ? ` (${place})` : ''}`.replace(/\.$/, '')
}

function mendOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND')
    return 'Install that package, or correct the path (in tsconfig.json too, when it is one of "paths").'
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return 'Start without the TypeScript loader, or give it the option for ES modules.'
  if (hasOwnLoader() && error instanceof Error && error.name === 'ColumnTypeUndefinedError')
    return NO_METADATA
  return 'Correct the error there; -v 3 shows where it was thrown.'
}
