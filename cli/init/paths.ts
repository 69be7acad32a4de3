import { existsSync } from 'node:fs'
import { getTsconfig, type TsConfigResult } from 'get-tsconfig'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { App } from '../app/load-app'
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

/** That of the build: Nest and others have a file of their own for it. */
function buildConfigOf(file: string, root: string): TsConfigResult | null {
  return existsSync(join(root, 'tsconfig.build.json'))
    ? getTsconfig(root, 'tsconfig.build.json')
    : tsconfigOf(file)
}

/** The compiled form of a source file, relative to the package; the file itself where nothing is compiled. */
export function compiledPath(file: string, { root }: Project): string {
  const own = relative(root, file).split(sep).join('/')
  const config = /\.[mc]?ts$/.test(file) ? buildConfigOf(file, root) : null
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
