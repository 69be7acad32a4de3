import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Loads the app's module, CommonJS or not, and lets it prepare; gives what it wants called at the end. */
export async function load(module: string, options: unknown): Promise<() => unknown> {
  const prepare = exportOf(await loaded(module), 'prepare')
  const leave: unknown = typeof prepare === 'function' ? await prepare(options) : undefined
  return typeof leave === 'function'
    ? () => Reflect.apply(leave, undefined, []) as unknown
    : () => {}
}

/** By `require` first, which loaders of TypeScript hook into. */
async function loaded(module: string): Promise<unknown> {
  try {
    return createRequire(module)(module)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error
    return import(pathToFileURL(module).href)
  }
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
