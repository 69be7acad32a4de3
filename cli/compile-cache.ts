import * as nodeModule from 'node:module'
import { dirname, join, sep } from 'node:path'

/** From Node 22.1 on; Node 20 has none. */
const { enableCompileCache } = nodeModule as {
  readonly enableCompileCache?: (folder: string) => unknown
}

/**
 * Has Node keep compiled code from one start to the next, in `node_modules/.cache/typeorm-tasks`: that belongs to whoever
 * may change the code itself, which is not so of the folder for temporary files. Where it cannot be written, nothing is
 * kept. `NODE_COMPILE_CACHE` names another folder, `NODE_DISABLE_COMPILE_CACHE=1` turns it off.
 */
export function keepCompiledCode(): void {
  // Node keeps by itself in the folder that is named; and what comes from a cache is left out of coverage in part.
  if (process.env['NODE_COMPILE_CACHE'] || process.env['NODE_V8_COVERAGE']) return
  enableCompileCache?.(join(nodeModulesOf(__dirname), '.cache', 'typeorm-tasks'))
}

/** The one that this library is installed in, or its own where it is not. */
function nodeModulesOf(folder: string): string {
  const end = folder.lastIndexOf(`${sep}node_modules${sep}`)
  return end < 0
    ? join(dirname(dirname(folder)), 'node_modules')
    : join(folder.slice(0, end), 'node_modules')
}
