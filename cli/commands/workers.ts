import { Command } from 'commander'
import type { TaskBackend } from '../../lib/backend'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { text } from '../option-parsers'
import { print, printMarked } from '../output'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf } from '../terminal/width'
import { asJson, COLUMNS, type ListedWorker, rowOf } from '../worker-format'

interface WorkersOptions extends Globals {
  readonly backend?: string
  readonly json?: boolean
}

export function workersCommand(): Command {
  return new Command('workers')
    .summary('list workers')
    .description(
      'Lists the workers that are at work, and those that were lost lately, from the table db_task_worker, or from Redis.',
    )
    .addOption(
      option(
        '--backend <alias>',
        "Alias in TASKS of the backend. (default: every backend's workers in the first place that TASKS names)",
        text,
      ),
    )
    .option('--json', 'Print JSON with all fields.')
    .addHelpText('after', examples('npx tasks workers', 'npx tasks workers --json'))
    .action(doing(list))
}

/** Of a backend without a table of them. */
async function workersOf(backend: TaskBackend): Promise<ListedWorker[]> {
  const browser = await backend.openBrowser()
  try {
    return ((await browser.workers()) ?? []).map(({ seenMsAgo, isGone, ...state }) => ({
      worker: { ...state, backend: backend.alias, seenAt: new Date(Date.now() - seenMsAgo) },
      agoMs: seenMsAgo,
      isGone,
    }))
  } finally {
    await browser.close()
  }
}

async function list(options: WorkersOptions): Promise<number> {
  const { withApp } = late.openedApp()
  const { browsedBackends, servedBackend } = late.servedBackend()
  const { DatabaseBackend } = late.databaseBackend()
  const { listWorkers } = late.listWorkers()
  return withApp(options, async () => {
    const [first] = browsedBackends(undefined)
    // Of shards each has workers of its own.
    const backend = servedBackend(options.backend ?? first?.alias ?? 'default')
    const workers =
      backend instanceof DatabaseBackend
        ? await listWorkers(await backend.dataSource(), options.backend)
        : await workersOf(backend)
    if (options.json) print(JSON.stringify(workers.map(asJson), null, 2))
    else if (workers.length === 0) print('No workers.')
    else {
      const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
      printMarked(fittedTable(COLUMNS, workers.map(rowOf), look))
    }
    if (options.backend === undefined) await late.places().sayOthers(backend)
    return 0
  })
}
