import { Command } from 'commander'
import { doing, examples, type Globals } from '../command'
import { late } from '../lazy'
import { print } from '../output'

interface InitCommandOptions extends Globals {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly dashboard?: boolean
  readonly schedules?: boolean
}

export function initCommand(): Command {
  return new Command('init')
    .summary('set up tasks in an app')
    .description(
      'Looks at the app, shows what it would write, asks, and writes it: an example of a task, scripts in package.json, the lines in the file of the data source, and a migration. Overwrites nothing; a second run changes nothing.',
    )
    .option('--yes', 'Write without a question.')
    .option('--dry-run', 'Show what would be written; write nothing.')
    .option(
      '--dashboard',
      'Also write a file with a dashboard, which is closed to everybody at first.',
    )
    .option('--schedules', 'Also write an example of a schedule.')
    .addHelpText('after', examples('npx tasks init', 'npx tasks init --yes -d src/db/main.ts'))
    .action(doing(run))
}

async function run({
  dataSource,
  yes = false,
  dryRun = false,
  nest,
  dashboard = false,
  schedules = false,
}: InitCommandOptions): Promise<number> {
  return late.init().init({
    ...(dataSource === undefined ? {} : { dataSource }),
    yes,
    dryRun,
    ...(nest === undefined ? {} : { nest }),
    dashboard,
    schedules,
    print,
  })
}
