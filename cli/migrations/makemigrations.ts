import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { DataSource } from 'typeorm'
import { UsageError } from '../../lib/errors/errors'
import { packageAbove } from '../app/load-file'
import { givenFolder, migrationsFolder, shown, type Folder } from './folder'
import { APPLY, refuseWhilePending } from './pending'
import { planMigration } from './plan'
import { renderMigration, type Rendering } from './render'

export interface MakemigrationsOptions {
  readonly app: MigratedApp
  /** Write nothing; return 1 if a migration is missing. */
  readonly check?: boolean
  /** Print the file instead of writing it. */
  readonly dryRun?: boolean
  /** Name of the migration. Default: `DbTaskResult`. */
  readonly name?: string
  /** Folder to write to. Default: the app's migrations folder. */
  readonly outdir?: string
  readonly print: (line: string) => void
}

/** What the command needs to know about the app. */
export interface MigratedApp {
  readonly dataSource: DataSource
  readonly language: 'ts' | 'js'
  readonly modules: 'commonjs' | 'esm'
  readonly root: string
  readonly file: string
}

type Form = Pick<Rendering, 'ending' | 'modules'>

const SYNCHRONIZED =
  'The DataSource has `synchronize: true`, which makes the tables without a migration. To get one, leave `synchronize` out and run this command with an empty database.'

/**
 * Writes a TypeORM migration for the library's own tables only, and returns the exit code. @throws UsageError for a bad name or folder,
 * DataSourceError while another migration is not applied
 */
export async function makemigrations({
  app,
  check,
  dryRun,
  name = 'DbTaskResult',
  outdir,
  print,
}: MakemigrationsOptions): Promise<number> {
  assertName(name)
  const folder = folderFor(app, outdir)
  const { tableName, ...plan } = await planMigration(app.dataSource)
  if (plan.up.length === 0) {
    print('No changes detected')
    if (app.dataSource.options.synchronize) print(SYNCHRONIZED)
    return 0
  }
  await refuseWhilePending({ dataSource: app.dataSource, folder: folder.path, tableName })
  const { fileName, text } = renderMigration({
    name,
    timestamp: Date.now(),
    ...plan,
    ...formOf(app, folder),
  })
  const file = join(folder.path, fileName)
  if (check || dryRun)
    print(
      dryRun
        ? `${shown(file)}\n\n${text}`
        : [
            'The database is not up to date. Missing:',
            ...plan.up.map((statement) => `  ${statement}`),
          ].join('\n'),
    )
  else await write(file, text, folder, print)
  return check ? 1 : 0
}

async function write(
  file: string,
  text: string,
  folder: Folder,
  print: (line: string) => void,
): Promise<void> {
  await mkdir(folder.path, { recursive: true })
  await writeFile(file, text, { flag: 'wx' })
  print(`Wrote ${shown(file)}`)
  for (const note of folder.notes) print(note)
  print(`Run it like the app's other migrations: ${APPLY}`)
}

function folderFor(app: MigratedApp, outdir: string | undefined): Folder {
  const settings = {
    migrations: app.dataSource.options.migrations,
    language: app.language,
    root: app.root,
    file: app.file,
  }
  return outdir === undefined ? migrationsFolder(settings) : givenFolder(resolve(outdir), settings)
}

/** JavaScript in the module system as which Node loads a file of that name in that folder, whatever the data source is. */
function formOf(app: MigratedApp, { path, ending }: Folder): Form {
  if (app.language === 'ts') return { ending: 'ts', modules: app.modules }
  if (ending !== undefined) return { ending, modules: ending === 'mjs' ? 'esm' : 'commonjs' }
  const { type } = packageAbove(join(path, 'x'))
  // Without a "type" Node looks at the text, as it did at that of the data source.
  const isModule = type === 'module' || (type === undefined && isPlainModule(app))
  return { ending: 'js', modules: isModule ? 'esm' : 'commonjs' }
}

function isPlainModule({ file, modules }: MigratedApp): boolean {
  return modules === 'esm' && file.endsWith('.js')
}

function assertName(name: string): void {
  if (!/^[A-Za-z][\w-]*$/.test(name))
    throw new UsageError(
      `argument --name: ${JSON.stringify(name)} is not a valid migration name.`,
      'Use letters, digits, "-" and "_", starting with a letter.',
    )
}
