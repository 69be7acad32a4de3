import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { UsageError } from '../../lib/errors/errors'
import { filesBelow } from '../app/find-files'
import type { Project } from './project'

/** The file of Nest's root module, and the name of its class. */
export interface RootModule {
  readonly file: string
  readonly name: string
}

const USUAL_FILE = /^app[.-]?module\.ts$/i
const NEVER_SEARCHED = ['node_modules', 'dist', 'build', 'out', 'coverage', 'test']
const DEPTH = 5

/**
 * Nest's root module: the given one, else the one of a usual name; undefined if there is none, or the app has no Nest.
 *
 * @param given `src/app.module.ts#AppModule`
 * @throws UsageError for one that is not there
 */
export function rootModule(project: Project, given: string | undefined): RootModule | undefined {
  if (given !== undefined) return namedModule(project, given)
  if (project.nest === undefined) return undefined
  const files = filesBelow(project.root, {
    fits: (name) => USUAL_FILE.test(name),
    except: NEVER_SEARCHED,
    depth: DEPTH,
    onePackage: true,
  })
  const file = files.find((each) => basename(dirname(each)) === 'src') ?? files[0]
  const name = file === undefined ? undefined : classesIn(file)[0]
  return file === undefined || name === undefined ? undefined : { file, name }
}

function namedModule({ root, nest, manager }: Project, given: string): RootModule {
  if (nest === undefined)
    throw new UsageError(
      `argument --nest: ${root} has no @nestjs/core.`,
      `Leave --nest out, or run: ${manager.add} @nestjs/core @nestjs/common`,
    )
  const [path = '', named] = given.split('#')
  const file = resolve(path)
  if (!file.endsWith('.ts') || !existsSync(file))
    throw new UsageError(
      `argument --nest: ${file} is no TypeScript file.`,
      "Give the source of the app's root module: --nest src/app.module.ts#AppModule.",
    )
  const classes = classesIn(file)
  const name = named ?? classes[0]
  if (name !== undefined && classes.includes(name)) return { file, name }
  throw new UsageError(
    `argument --nest: ${file} has no class ${named ?? 'at all'}.`,
    classes.length === 0 ? 'Give the file of the root module.' : `It has: ${classes.join(', ')}.`,
  )
}

function classesIn(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^export (?:default )?class (\w+)/gm)].map(
    ([, name = '']) => name,
  )
}
