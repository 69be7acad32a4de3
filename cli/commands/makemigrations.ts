import { Command } from 'commander'
import type { App } from '../app/load-app'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { print } from '../output'
import { text } from '../option-parsers'

interface MakemigrationsCommandOptions extends Globals {
  readonly check?: boolean
  readonly dryRun?: boolean
  readonly name?: string
  readonly outdir?: string
}

const NO_TABLE =
  'None of TASKS is in a database: Redis needs no table. The relay of a backend on Redis has one, if its OPTIONS have a dataSource.'

export function makemigrationsCommand(): Command {
  return new Command('makemigrations')
    .summary('write a migration for the tasks table')
    .description(
      'Writes a TypeORM migration for the tasks table, and for the table of workers if the DataSource lists it, into the app\'s migrations folder. Changes no other table. Prints "No changes detected" if they are up to date.',
    )
    .option('--check', 'Write nothing; exit 1 if a migration is missing.')
    .option('--dry-run', 'Print the migration instead of writing it.')
    .addOption(option('--name <name>', 'Name of the migration. (default: DbTaskResult)', text))
    .addOption(
      option(
        '--outdir <folder>',
        "Folder to write to. (default: the folder of the DataSource's migrations)",
        text,
      ),
    )
    .addHelpText('after', examples('npx tasks makemigrations -d src/data-source.ts'))
    .action(doing(run))
}

async function run({
  check = false,
  dryRun = false,
  name,
  outdir,
  ...globals
}: MakemigrationsCommandOptions): Promise<number> {
  const { appOf } = late.app()
  const { makemigrations } = late.makemigrations()
  const { inDatabase } = late.loadApp()
  const loaded = await appOf(globals)
  try {
    if (needsNoTable(loaded)) {
      print(`No changes detected\n${NO_TABLE}`)
      return 0
    }
    const app = inDatabase(loaded)
    return await makemigrations({
      app,
      check,
      dryRun,
      print,
      ...(name === undefined ? {} : { name }),
      ...(outdir === undefined ? {} : { outdir }),
    })
  } finally {
    if (loaded.nestModule !== undefined) await loaded.close()
    if (loaded.dataSource?.isInitialized) await loaded.dataSource.destroy()
  }
}

/** None of its tasks is in a database, nor waits there for a relay. */
function needsNoTable({ dataSource, tasksSettings }: App): boolean {
  const { isElsewhere, hasRelay } = late.exports()
  if (!isElsewhere(tasksSettings) || hasRelay(tasksSettings)) return false
  return !dataSource || !late.initMigration().listsTasks(dataSource)
}
