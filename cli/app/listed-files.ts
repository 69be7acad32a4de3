import type { DataSourceOptions } from 'typeorm'
import { LoadError, TasksError } from '../../lib/errors/errors'
import { globbed, isCode } from '../../lib/tasks/globs'
import { isTypeScript, loadsTypeScript } from '../typescript/require-hook'
import { loadFile } from './load-file'

const LISTS = ['entities', 'migrations', 'subscribers'] as const

/**
 * When a DataSource cannot be opened because of a file that it lists, TypeORM's error does not name the file. Returns an error
 * that does; undefined if all listed files load.
 */
export async function listedFileFault(
  error: unknown,
  options: DataSourceOptions,
): Promise<LoadError | undefined> {
  if (error instanceof TasksError) return undefined
  for (const [list, glob] of LISTS.flatMap((name) => globsOf(name, options))) {
    const fault = await faultIn(glob)
    if (fault) return named(list, glob, fault)
  }
  return undefined
}

function globsOf(
  list: (typeof LISTS)[number],
  options: DataSourceOptions,
): (readonly [string, string])[] {
  const entries = Object.values<unknown>(options[list] ?? [])
  return entries.filter((each) => typeof each === 'string').map((glob) => [list, glob] as const)
}

async function faultIn(glob: string): Promise<Fault | undefined> {
  // TypeORM resolves globs from the current folder.
  for (const file of (await globbed(glob, process.cwd())).filter(isCode))
    try {
      await loadFile(file)
    } catch (error) {
      if (error instanceof LoadError) return { file, error }
    }
  return undefined
}

function named(list: string, glob: string, { file, error }: Fault): LoadError {
  const isSource = isTypeScript(file) && !loadsTypeScript()
  return new LoadError(
    `The DataSource lists ${glob} as ${list}: ${error.what}`,
    isSource
      ? `The app runs compiled: list the compiled files, e.g. ${list}: [join(__dirname, '${list}/*.js')].`
      : error.hint,
    { cause: error.cause },
  )
}

interface Fault {
  readonly file: string
  readonly error: LoadError
}
