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
    .summary('write the migration of the tasks table')
    .description(
      "Writes a TypeORM migration for the tasks table into the app's own migrations, and touches no other table. With nothing to do it says so.",
    )
    .option('--check', 'Write nothing; exit code 1 if a migration is missing.')
    .option('--dry-run', 'Print the migration and write nothing.')
    .addOption(option('--name <name>', 'The name of the migration; default: DbTaskResult.', text))
    .addOption(
      option(
        '--outdir <folder>',
        "The folder to write to; default: that of the DataSource's migrations.",
        text,
      ),
    )
    .addHelpText('after', examples('npx tasks makemigrations -d src/data-source.ts'))
    .action(doing(run))
}

async function run({
  dataSource,
  check = false,
  dryRun = false,
  name,
  outdir,
}: MakemigrationsCommandOptions): Promise<number> {
  const { loadApp } = late.app()
  const { makemigrations } = late.makemigrations()
  const app = await loadApp(dataSource === undefined ? {} : { dataSource })
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
    if (app.dataSource.isInitialized) await app.dataSource.destroy()
  }
}
