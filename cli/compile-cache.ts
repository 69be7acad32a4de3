import * as nodeModule from 'node:module'
import { dirname, join, sep } from 'node:path'

/** Undefined before Node 22.1. */
const { enableCompileCache } = nodeModule as {
  readonly enableCompileCache?: (folder: string) => unknown
}

/**
 * Makes Node cache compiled code in `node_modules/.cache/typeorm-tasks` for the next start. Not in the folder for
 * temporary files, because all accounts may write there, and cached code is executed. If the folder is not writable,
 * nothing is cached. `NODE_COMPILE_CACHE` names another folder, `NODE_DISABLE_COMPILE_CACHE=1` disables the cache.
 */
export function keepCompiledCode(): void {
  // Node uses NODE_COMPILE_CACHE by itself. Coverage is incomplete for code that was loaded from a cache.
  if (process.env['NODE_COMPILE_CACHE'] || process.env['NODE_V8_COVERAGE']) return
  enableCompileCache?.(join(nodeModulesOf(__dirname), '.cache', 'typeorm-tasks'))
}

/** The node_modules that this library is installed in, else its own. */
function nodeModulesOf(folder: string): string {
  const end = folder.lastIndexOf(`${sep}node_modules${sep}`)
  return end < 0
    ? join(dirname(dirname(folder)), 'node_modules')
    : join(folder.slice(0, end), 'node_modules')
}
