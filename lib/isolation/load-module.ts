import { realpathSync } from 'node:fs'
import Module, { createRequire } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Loads the app's module, CommonJS or not, and lets it prepare; gives what it wants called at the end. */
export async function load(module: string, options: unknown): Promise<() => unknown> {
  const prepare = exportOf(await loadModule(module), 'prepare')
  const leave: unknown = typeof prepare === 'function' ? await prepare(options) : undefined
  return typeof leave === 'function'
    ? () => Reflect.apply(leave, undefined, []) as unknown
    : () => {}
}

/** By `require` first, which loaders of TypeScript hook into. */
export async function loadModule(module: string): Promise<unknown> {
  try {
    return createRequire(module)(module)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error
    return import(pathToFileURL(module).href)
  }
}

/** The file that a package, or a path in one, stands for; undefined if there is none. */
export function resolveModule(name: string, folder: string): string | undefined {
  try {
    const file = createRequire(join(folder, 'package.json')).resolve(name)
    return isAbsolute(file) ? realpathSync(file) : undefined
  } catch {
    return undefined
  }
}

/** True if Node was started with a loader that compiles TypeScript, such as ts-node or tsx. */
export function hasTypeScriptHook(): boolean {
  // Undocumented, but every such loader adds itself here.
  return '.ts' in (Module as unknown as { _extensions: object })._extensions
}

/** An ES module may export all of it as its default. */
function exportOf(exported: unknown, name: string): unknown {
  const [found] = [exported, within(exported, 'default')]
    .map((each) => within(each, name))
    .filter((each) => each !== undefined)
  return found
}

function within(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (Reflect.get(value, name) as unknown)
    : undefined
}
