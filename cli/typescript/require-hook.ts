import { existsSync, readFileSync, statSync } from 'node:fs'
import Module, { createRequire, isBuiltin, register } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createPathsMatcher } from 'get-tsconfig'
import { LoadError } from '../../lib/errors/errors'
import { compilerOf, tsconfigOf, type Compile } from './compiler'
import { importedEntry } from './esm-package'

// Node's CommonJS loader. Undocumented, but every require hook (ts-node, swc-node, tsx) builds on it.
const loader = Module as unknown as ModuleInternals
const nodeResolve = loader._resolveFilename
let ours = false
let nodeItself = false

/**
 * Makes Node load the app's TypeScript: each file is compiled to CommonJS by the app's own compiler. Does nothing if the
 * app was started with a TypeScript loader, or if it has no compiler and Node itself removes the types. CommonJS, because Node's `require` loads ES modules too, and because entities
 * that import each other work in it. The price: no top-level await.
 */
export function installTypeScript(appFile: string): void {
  if ('.ts' in loader._extensions) return
  const compile = compilerOf(appFile)
  if (compile === undefined) {
    nodeItself = true
    return
  }
  for (const extension of ['.ts', '.mts', '.cts'])
    loader._extensions[extension] = (module, file) => run(module, file, compile)
  loader._resolveFilename = resolveWithTypeScript
  hookImports()
  process.setSourceMapsEnabled(true) // tracebacks of tasks then show lines of the .ts file
  ours = true
}

/** True if the file name ends like TypeScript. */
export function isTypeScript(file: string): boolean {
  return /\.[mc]?ts$/.test(file)
}

/** True if the app's TypeScript is loaded without us: by Node itself, or by a loader such as `node -r ts-node/register`. */
export function hasOwnLoader(): boolean {
  return nodeItself || (!ours && '.ts' in loader._extensions)
}

/** True if TypeScript can be loaded in this process, by us or without us. */
export function loadsTypeScript(): boolean {
  return ours || hasOwnLoader()
}

/** True if Node itself loads the app's TypeScript: it removes types, and compiles nothing. */
export function isStripped(): boolean {
  return nodeItself
}

function run(module: CompilingModule, file: string, compile: Compile): void {
  const code = compile(readFileSync(file, 'utf8'), file)
  try {
    module._compile(code, file, 'commonjs')
  } catch (cause) {
    throw isTopLevelAwait(cause, file) ? topLevelAwait(file, cause) : cause
  }
}

function isTopLevelAwait(error: unknown, file: string): boolean {
  return (
    error instanceof SyntaxError &&
    error.message.startsWith('await is only valid') &&
    error.stack?.includes(file) === true
  )
}

function topLevelAwait(file: string, cause: unknown): LoadError {
  return new LoadError(
    `${file} uses top-level await, which is not supported in TypeScript files.`,
    'Export the promise instead of awaiting it, or pass compiled JavaScript with --data-source.',
    { cause },
  )
}

function resolveWithTypeScript(
  this: unknown,
  request: string,
  parent: Parent,
  ...rest: unknown[]
): string {
  const from = parent?.filename
  if (!from || !isTypeScript(from)) return nodeResolve.call(this, request, parent, ...rest)
  return sourceOf(request, from) ?? nodeOrEsm.call(this, request, parent, ...rest)
}

function nodeOrEsm(this: unknown, request: string, parent: Parent, ...rest: unknown[]): string {
  try {
    return nodeResolve.call(this, request, parent, ...rest)
  } catch (error) {
    const entry =
      codeOf(error) === 'ERR_PACKAGE_PATH_NOT_EXPORTED' && parent?.filename
        ? importedEntry(request, parent.filename)
        : undefined
    if (entry !== undefined) return entry
    throw error
  }
}

/** The file that TypeScript would resolve, if Node would find another or none. */
function sourceOf(request: string, from: string): string | undefined {
  if (/^\.{1,2}(\/|$)/.test(request)) return typeScriptAt(resolve(dirname(from), request))
  if (isBuiltin(request) || isAbsolute(request) || from.includes('node_modules')) return undefined
  for (const path of mapped(request, from)) {
    const file = typeScriptAt(path) ?? javaScriptAt(path)
    if (file) return file
  }
  return undefined
}

/** `x.ts` for `x` and for `x.js`, even if a compiled `x.js` exists; `x/index.ts` for the folder `x`. */
function typeScriptAt(path: string): string | undefined {
  const swapped = path.replace(/\.([mc]?)js$/, '.$1ts')
  const names = [swapped, `${path}.ts`, `${path}.mts`, `${path}.cts`]
  if (!isFile(`${path}.js`)) names.push(join(path, 'index.ts'))
  return names.find((name) => isTypeScript(name) && isFile(name))
}

function javaScriptAt(path: string): string | undefined {
  try {
    return nodeResolve(path, null)
  } catch {
    return undefined
  }
}

const matchers = new Map<string, ReturnType<typeof createPathsMatcher>>()

/** Candidate paths from tsconfig's `paths` and `baseUrl`. */
function mapped(request: string, from: string): string[] {
  const config = tsconfigOf(from)
  if (!config) return []
  if (!matchers.has(config.path)) matchers.set(config.path, createPathsMatcher(config))
  return matchers.get(config.path)?.(request) ?? []
}

/**
 * Handles `import()` of TypeScript, which TypeORM uses for globs if the app has `"type": "module"`. Returns a module that
 * re-exports what `require` returns, so each file is loaded once. Node below 22.15 runs hooks in another thread, where
 * the export names are unknown: there all exports are under `default`, where TypeORM finds them too.
 */
function hookImports(): void {
  const hooks = (Module as unknown as { registerHooks?: (hooks: { load: Load }) => void })
    .registerHooks
  if (!hooks) return register(`data:text/javascript,${encodeURIComponent(OTHER_THREAD)}`)
  hooks({
    load: (url, context, next) =>
      isTypeScript(url) && url.startsWith('file:') ? reExported(url) : next(url, context),
  })
}

function reExported(url: string): object {
  const file = fileURLToPath(url)
  const exported = createRequire(file)(file) as object
  const names = Object.keys(exported).filter((name) => name !== '__esModule')
  const lines = names.map(
    (name, n) =>
      `const v${n} = loaded[${JSON.stringify(name)}]; export { v${n} as ${JSON.stringify(name)} }`,
  )
  return {
    format: 'module',
    shortCircuit: true,
    source: [requiring(pathToFileURL(file).href), ...lines].join('\n'),
  }
}

function requiring(url: string): string {
  return `import { createRequire } from 'node:module'; import { fileURLToPath } from 'node:url'; const url = ${JSON.stringify(url)}; const loaded = createRequire(url)(fileURLToPath(url));`
}

const OTHER_THREAD = `export async function load(url, context, next) {
  if (!/^file:.*\\.[mc]?ts$/.test(url)) return next(url, context)
  return { format: 'module', shortCircuit: true, source: (${requiring.toString()})(url) + 'export default loaded' }
}`

/** True if the path is a file, not a folder. */
export function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile() // statSync alone throws for a path through a file: own.mjs/index.ts
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

type Parent = { filename?: string | null } | null | undefined
type Load = (
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => object,
) => object

interface CompilingModule {
  _compile(code: string, file: string, format: 'commonjs'): void
}

interface ModuleInternals {
  _extensions: Record<string, (module: CompilingModule, file: string) => void>
  _resolveFilename: (this: unknown, request: string, parent: Parent, ...rest: unknown[]) => string
}
