import { Command } from 'commander'
import { PRUNE_OPTIONS, type PruneOptions } from '../../lib/worker/prune-options'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { isWanted, print } from '../output'
import { days, inNames, queueNamesOrAll, text } from '../option-parsers'

interface PruneCommandOptions extends Globals {
  readonly queueName: readonly string[] | '*'
  readonly backend?: string
  readonly minAgeDays?: number
  readonly failedMinAgeDays?: number
  readonly dryRun?: boolean
}

export function pruneCommand(): Command {
  return new Command('prune_db_task_results')
    .summary('delete old results')
    .description(
      'Deletes results of tasks that finished some time ago. Waiting and running tasks are never deleted. A task with keepResults keeps its results for that time, whatever is asked for here.',
    )
    .addOption(
      option(
        '--queue-name <names>',
        "Queues to prune, separated by commas; '*' for all.",
        queueNamesOrAll,
        PRUNE_OPTIONS.queues.default,
        inNames,
      ),
    )
    .addOption(
      option(
        '--backend <alias>',
        `Alias in TASKS of the backend to prune. (default: ${PRUNE_OPTIONS.backend.default})`,
        text,
      ),
    )
    .addOption(
      option(
        '--min-age-days <days>',
        'Keep results for this many days after the task finished; 0 deletes all finished. (default: OPTIONS.retention of the backend, or 14)',
        days,
      ),
    )
    .addOption(
      option(
        '--failed-min-age-days <days>',
        'The same for FAILED tasks. (default: --min-age-days, if that is given)',
        days,
      ),
    )
    .option('--dry-run', 'Count the results that would be deleted; delete nothing.')
    .addHelpText(
      'after',
      examples(
        "npx tasks prune_db_task_results --queue-name '*' --min-age-days 7",
        'npx tasks prune_db_task_results --min-age-days 7 --failed-min-age-days 90',
      ),
    )
    .action(doing(prune))
}

async function prune(options: PruneCommandOptions): Promise<number> {
  const { withApp } = late.openedApp()
  const { isSound, servedBackend } = late.servedBackend()
  const { pruneResults } = late.startWorker()
  return withApp(options, async () => {
    const backend = servedBackend(options.backend ?? PRUNE_OPTIONS.backend.default)
    if (!(await isSound(backend))) return 1
    const { sayUnknownQueues } = late.servedQueues()
    if (options.queueName !== '*') sayUnknownQueues(options.queueName, [backend])
    const query = pruneOptions(options)
    const count =
      query.dryRun || !process.stderr.isTTY || !isWanted(1)
        ? await pruneResults(query)
        : await withBar(pruneResults, query)
    if (isWanted(1)) print(`${query.dryRun ? 'Would delete' : 'Deleted'} ${count} task result(s)`)
    if (options.backend === undefined) await late.places().sayOthers(backend, 'This was')
    return 0
  })
}

async function withBar(
  pruneResults: (query: PruneOptions) => Promise<number>,
  query: PruneOptions,
): Promise<number> {
  const { Presets, SingleBar } = late.cliProgress()
  const bar = new SingleBar(
    { format: '{bar} {value} of {total}', clearOnComplete: true },
    Presets.shades_classic,
  )
  bar.start(await pruneResults({ ...query, dryRun: true }), 0)
  try {
    return await pruneResults({ ...query, onProgress: (deleted) => bar.update(deleted) })
  } finally {
    bar.stop()
  }
}

function pruneOptions({
  backend = PRUNE_OPTIONS.backend.default,
  queueName: queues,
  minAgeDays: minAge,
  failedMinAgeDays: failedMinAge,
  dryRun = false,
}: PruneCommandOptions): PruneOptions {
  return { backend, queues, minAge, failedMinAge, dryRun }
}
