import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { App } from '../app/load-app'
import { filesBelow } from '../app/find-files'
import { tsconfigOf } from '../typescript/compiler'
import type { Project } from './project'

/** The folder for new files: `src` if the app has its sources there, else that of the data source. */
export function sourceFolder({ root }: Project, file: string): string {
  const sources = join(root, 'src')
  if (existsSync(sources)) return sources
  return file.startsWith(root + sep) ? dirname(file) : root
}

/** How one file imports another one, in a form that the app's module system knows. */
export function importPath(from: string, to: string, { modules, language }: App): string {
  const ending = modules === 'esm' ? '.js' : language === 'ts' ? '' : '.js'
  const path = relative(dirname(from), to)
    .split(sep)
    .join('/')
    .replace(/\.[jt]s$/, ending)
  return path.startsWith('.') ? path : `./${path}`
}

/** The compiled form of a source file, relative to the package; the file itself where nothing is compiled. */
export function compiledPath(file: string, { root }: Project): string {
  const own = relative(root, file).split(sep).join('/')
  const config = /\.[mc]?ts$/.test(file) ? tsconfigOf(file) : null
  const options = config?.config.compilerOptions
  if (!config || options?.noEmit === true || options?.outDir === undefined) return own
  const base = dirname(config.path)
  const rootDir =
    options.rootDir === undefined
      ? join(root, existsSync(join(root, 'src')) ? 'src' : '.')
      : resolve(base, options.rootDir)
  return relative(root, join(resolve(base, options.outDir), relative(rootDir, file)))
    .split(sep)
    .join('/')
    .replace(/ts$/, 'js')
}

/** The file of Nest's root module, and the name of its class. */
export interface RootModule {
  readonly file: string
  readonly name: string
}

/** Nest's root module: `AppModule`, as Nest's own generator names it; undefined if there is none. */
export function rootModule({ root }: Project): RootModule | undefined {
  const files = filesBelow(root, {
    fits: (name) => /^app[.-]?module\.[jt]s$/i.test(name),
    except: ['node_modules', 'dist', 'build', 'out', 'coverage', 'test'],
    depth: 5,
    onePackage: true,
  })
  const file = files.find((each) => basename(dirname(each)) === 'src') ?? files[0]
  if (file === undefined) return undefined
  const name = /\bclass (\w+)/.exec(readFileSync(file, 'utf8'))?.[1]
  return name === undefined ? undefined : { file, name }
}
