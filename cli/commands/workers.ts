import { Command } from 'commander'
import { NotSupportedError } from '../../lib/errors/errors'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { text } from '../option-parsers'
import { print, printMarked } from '../output'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf } from '../terminal/width'
import { asJson, COLUMNS, rowOf } from '../worker-format'

interface WorkersOptions extends Globals {
  readonly backend?: string
  readonly json?: boolean
}

export function workersCommand(): Command {
  return new Command('workers')
    .summary('list workers')
    .description(
      'Lists the workers that are at work, and those that were lost lately, from the table db_task_worker.',
    )
    .addOption(
      option(
        '--backend <alias>',
        "Alias in TASKS of the backend. (default: every backend's workers in the table)",
        text,
      ),
    )
    .option('--json', 'Print JSON with all fields.')
    .addHelpText('after', examples('npx tasks workers', 'npx tasks workers --json'))
    .action(doing(list))
}

async function list(options: WorkersOptions): Promise<number> {
  const { withApp } = late.openedApp()
  const { browsedBackend } = late.servedBackend()
  const { DatabaseBackend } = late.databaseBackend()
  const { listWorkers } = late.listWorkers()
  return withApp(options, async () => {
    const backend = browsedBackend(options.backend)
    if (!(backend instanceof DatabaseBackend))
      throw new NotSupportedError(
        `${backend.constructor.name} (TASKS.${backend.alias}) keeps no records of workers.`,
        'Use the Database backend for that.',
      )
    const workers = await listWorkers(await backend.dataSource(), options.backend)
    if (options.json) print(JSON.stringify(workers.map(asJson), null, 2))
    else if (workers.length === 0) print('No workers.')
    else {
      const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
      printMarked(fittedTable(COLUMNS, workers.map(rowOf), look))
    }
    return 0
  })
}
