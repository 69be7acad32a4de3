import { Command } from 'commander'
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
  const app = await appOf(globals)
  try {
    return await makemigrations({
      app,
      check,
      dryRun,
      print,
      ...(name === undefined ? {} : { name }),
      ...(outdir === undefined ? {} : { outdir }),
    })
  } finally {
    if (app.nestModule !== undefined) await app.close()
    if (app.dataSource.isInitialized) await app.dataSource.destroy()
  }
}
