import { join, relative, sep } from 'node:path'
import { LoadError, UsageError } from '../../lib/errors/errors'
import { findAppFile } from '../app/find-app-file'
import type { Project } from './project'
import { sourcesThatSay } from './source-files'

const MOST_SHOWN = 5

/** The file that makes the app's DataSource: the given one, else the only one that says `new DataSource(`. @throws LoadError, UsageError */
export function findDataSource(project: Project, given: string | undefined): string {
  if (given !== undefined) return findAppFile(given, process.cwd())
  const found = sourcesThatSay(['new', 'DataSource', '('], project.root)
  const [first, ...others] = found
  if (first === undefined) return usualFile(project)
  if (others.length > 0)
    throw new UsageError(
      `${found.length} files make a DataSource: ${shownFiles(found)}.`,
      `Say which one is to have the tasks table: npx tasks init -d ${shownPath(first)}`,
    )
  return first
}

/** The path as one gives it to -d. */
export function shownPath(file: string): string {
  return relative(process.cwd(), file).split(sep).join('/')
}

/** Whether other commands, called in the package, find the file by themselves. */
export function isFoundByDefault(file: string, root: string): boolean {
  try {
    return findAppFile(undefined, root) === file
  } catch {
    return false
  }
}

/** A file of a usual name may make its DataSource in another way. */
function usualFile({ root, nest, typescript }: Project): string {
  try {
    return findAppFile(undefined, root)
  } catch (cause) {
    const file = typescript === undefined ? 'data-source.js' : 'src/data-source.ts'
    const line =
      'export const dataSource = new DataSource({ type: …, entities: [ … ], migrations: [ … ] })'
    throw new LoadError(
      `No file in ${root} makes a DataSource: none says "new DataSource(", and there is no ormconfig or data-source file.`,
      [
        `Write ${join(root, file).replace(`${root}${sep}`, '')} with \`${line}\`, or give the file that exports one: -d path/to/file.`,
        ...(nest === undefined
          ? []
          : [
              'In Nest give TypeOrmModule the same options: `TypeOrmModule.forRoot(dataSource.options)`; migrations need the file.',
            ]),
      ].join(' '),
      { cause },
    )
  }
}

function shownFiles(files: readonly string[]): string {
  const shown = files.slice(0, MOST_SHOWN).map(shownPath)
  return `${shown.join(', ')}${files.length > MOST_SHOWN ? ` and ${files.length - MOST_SHOWN} more` : ''}`
}
