import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { DataSource } from 'typeorm'
import { UsageError } from '../../lib/errors/errors'
import { migrationsFolder, shown, type Folder } from './folder'
import { planMigration } from './plan'
import { renderMigration } from './render'

export interface MakemigrationsOptions {
  readonly app: MigratedApp
  /** Writes nothing; exit code 1 if there is something to write. */
  readonly check?: boolean
  /** Prints the file in the place of writing it. */
  readonly dryRun?: boolean
  /** The migration's name, `DbTaskResult` unless told. */
  readonly name?: string
  /** The folder to write to; the app's own migrations folder unless told. */
  readonly outdir?: string
  readonly print: (line: string) => void
}

/** What the command needs to know of the app. */
export interface MigratedApp {
  readonly dataSource: DataSource
  readonly language: 'ts' | 'js'
  readonly modules: 'commonjs' | 'esm'
  readonly root: string
  readonly file: string
}

/** Writes a TypeORM migration of the tasks table alone into the app's migrations, and gives the exit code. */
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
  const plan = await planMigration(app.dataSource)
  if (plan.up.length === 0) {
    print('No changes detected')
    return 0
  }
  const { fileName, text } = renderMigration({
    name,
    timestamp: Date.now(),
    ...plan,
    language: app.language,
    modules: app.modules,
  })
  const file = join(folder.path, fileName)
  if (check || dryRun)
    print(
      dryRun
        ? `${shown(file)}\n\n${text}`
        : [
            'The tasks table is not up to date; it lacks:',
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
  print("Run it as the app's other migrations: npx typeorm migration:run -d <data source file>")
}

function folderFor(app: MigratedApp, outdir: string | undefined): Folder {
  if (outdir !== undefined) return { path: resolve(outdir), notes: [] }
  return migrationsFolder({
    migrations: app.dataSource.options.migrations,
    language: app.language,
    root: app.root,
    file: app.file,
  })
}

function assertName(name: string): void {
  if (!/^[A-Za-z][\w-]*$/.test(name))
    throw new UsageError(
      `--name ${JSON.stringify(name)} is no name for a migration.`,
      'Use letters, digits, "-" and "_", a letter first.',
    )
}
