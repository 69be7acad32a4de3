import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { App } from './load-app'
import { tsconfigOf } from '../typescript/compiler'

const OUTPUT = ['dist', 'build', 'out']

/** The build folder that contains the data source file; undefined if it is not in one. */
export function buildFolder(app: App): string | undefined {
  const steps = stepsTo(app, app.root)
  const ends = steps.map((_, at) => steps.slice(0, at + 1).join('/'))
  const outDir = outDirOf(app.file, app.root)
  const folder =
    ends.find((end) => end === outDir) ?? ends.find((_, at) => OUTPUT.includes(steps[at] ?? ''))
  return folder === undefined ? undefined : join(app.root, folder)
}

/** Build output folders of a package, relative to it; never one that contains the data source file. */
export function outputFolders(app: App, folder: string): string[] {
  const outDir = outDirOf(folder === app.root ? app.file : join(folder, 'tsconfig.json'), folder)
  const steps = `${stepsTo(app, folder).join('/')}/`
  return [...OUTPUT, 'coverage', outDir ?? 'dist'].filter((name) => !steps.includes(`${name}/`))
}

/** Names of the folders from a package down to the data source file. */
function stepsTo({ file }: App, folder: string): string[] {
  return relative(folder, file).split(sep).slice(0, -1)
}

/** tsconfig's `outDir` relative to the package; undefined if it is not a folder below it. */
function outDirOf(file: string, folder: string): string | undefined {
  const config = tsconfigOf(file)
  const outDir = config?.config.compilerOptions?.outDir
  if (!config || outDir === undefined) return undefined
  const path = relative(folder, resolve(dirname(config.path), outDir))
  return path === '' || path.startsWith('..') || isAbsolute(path)
    ? undefined
    : path.split(sep).join('/')
}
