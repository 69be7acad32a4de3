import { Command } from 'commander'
import type { CountQuery, TaskBackend } from '../../lib/backend'
import { isIdText } from '../../entities/formats'
import { NotSupportedError, ResultNotFoundError, UsageError } from '../../lib/errors/errors'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import type { TaskStatus } from '../../lib/record'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { oneLine } from '../../lib/errors/foreign-text'
import { print, printMarked } from '../output'
import { asJson, cancelled, COLUMNS, fieldsOf, footer, rowOf } from '../result-format'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf, wrapTo } from '../terminal/width'
import { inNames, oneOf, queueNamesOrAll, text, wholeNumber } from '../option-parsers'

interface ListOptions extends Globals {
  readonly status?: TaskStatus
  readonly queueName: readonly string[] | '*'
  readonly task?: string
  readonly before?: string
  readonly limit: number
  readonly backend?: string
  readonly json?: boolean
}

type OneOptions = Pick<ListOptions, keyof Globals | 'backend' | 'json'>

const STATUSES = ['READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const

export function resultsCommand(): Command {
  const command = new Command('results')
    .summary('list, show, retry or cancel results')
    .description('Lists results, newest first. With an id it shows one result.')
    .argument('[id]', 'Id of the result to show.')
  return withListOptions(command)
    .addHelpText(
      'after',
      examples(
        'npx tasks results --status FAILED',
        'npx tasks results show 01981c1e-7c2a-7b3c-8d4e-5f6071829304',
        'npx tasks results retry 01981c1e-7c2a-7b3c-8d4e-5f6071829304',
      ),
    )
    .action(
      doing((options: ListOptions, id?: string) =>
        id === undefined ? list(options) : show(options, id),
      ),
    )
    .addCommand(
      subcommand('show', 'Shows every field of one result, with its full traceback.').action(
        doing(show),
      ),
    )
    .addCommand(
      subcommand(
        'retry',
        'Puts a FAILED task back into its queue; its error is kept with those of earlier attempts.',
      ).action(doing(retry)),
    )
    .addCommand(
      subcommand(
        'cancel',
        'Cancels a task: a waiting one fails immediately, a running one when its worker renews its lease.',
      ).action(doing(cancel)),
    )
}

function withListOptions(command: Command): Command {
  return command
    .addOption(
      option('--status <status>', `Only this status: ${STATUSES.join(', ')}.`, (name) =>
        oneOf<TaskStatus>(name, STATUSES),
      ),
    )
    .addOption(
      option(
        '--queue-name <names>',
        "Only these queues, separated by commas; '*' for all.",
        queueNamesOrAll,
        '*',
        inNames,
      ),
    )
    .addOption(option('--task <name>', 'Only results of this task.', text))
    .addOption(
      option('--before <id>', 'Only results older than this one, for the next page.', text),
    )
    .addOption(
      option(
        '--limit <number>',
        'Maximum number of results.',
        (name) => wholeNumber(name, { least: 1, most: 100_000 }),
        20,
      ),
    )
    .addOption(
      option(
        '--backend <alias>',
        "Alias in TASKS of the backend. (default: every backend's rows in the table)",
        text,
      ),
    )
    .option('--json', 'Print JSON with all fields.')
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<id>', 'Id of the result.')
    .addHelpText(
      'after',
      examples(`npx tasks results ${name} 01981c1e-7c2a-7b3c-8d4e-5f6071829304`),
    )
}

async function list(options: ListOptions): Promise<number> {
  const { status, queueName, task, before, limit, json } = options
  const filter = {
    queues: queueName === '*' ? null : queueName,
    everyBackend: options.backend === undefined,
    ...(task === undefined ? {} : { taskName: task }),
  }
  return onResults(options, before, async (backend) => {
    const results = await backend.list({
      ...filter,
      limit,
      ...(status === undefined ? {} : { status }),
      ...(before === undefined ? {} : { before }),
    })
    await sayUnknown(options, backend, results.length)
    if (json) print(JSON.stringify(results.map(asJson), null, 2))
    else if (results.length === 0) print('No task results.')
    else {
      const total = await totalOf(backend, filter, status)
      const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
      printMarked(fittedTable(COLUMNS, results.map(rowOf), look))
      print(wrapTo(look.columns, footer(results, total, before !== undefined)))
    }
    return 0
  })
}

/** Undefined for a backend that cannot count. */
async function totalOf(
  backend: TaskBackend,
  filter: CountQuery,
  status: TaskStatus | undefined,
): Promise<number | undefined> {
  try {
    const counts = await backend.counts(filter)
    return status === undefined
      ? Object.values(counts).reduce((sum, count) => sum + count, 0)
      : counts[status]
  } catch (error) {
    if (error instanceof NotSupportedError) return undefined
    throw error
  }
}

async function show(options: OneOptions, id: string): Promise<number> {
  return onResults(options, id, async (backend) => {
    const result = await backend.getResult(id)
    print(options.json ? JSON.stringify(asJson(result), null, 2) : fieldsOf(result))
    return 0
  })
}

async function retry(options: OneOptions, id: string): Promise<number> {
  return onResults(options, id, async (backend) => {
    const result = await backend.retry(id)
    const { id: known, taskName, queueName, errors, attempts } = result
    const error = errors.at(-1)?.exceptionClassPath || 'an unknown error'
    const text = `Task id=${known} path=${taskName} is READY again in queue ${queueName}; it had failed with ${error} after ${attempts} attempt(s).`
    print(options.json ? JSON.stringify(asJson(result), null, 2) : oneLine(text))
    return 0
  })
}

async function cancel(options: OneOptions, id: string): Promise<number> {
  return onResults(options, id, async (backend) => {
    const before = await backend.getResult(id)
    const wasFinished = before.isFinished
    const result = await before.cancel()
    const text = `Task id=${result.id} path=${result.taskName} ${cancelled(result, wasFinished)}.`
    print(options.json ? JSON.stringify(asJson(result), null, 2) : oneLine(text))
    return 0
  })
}

/** Says what in the filter may be a typing error. Not an error: rows of a queue or a task that the app no longer has are still there. */
async function sayUnknown(
  { queueName, task, backend: alias }: ListOptions,
  backend: TaskBackend,
  found: number,
): Promise<void> {
  const { sayUnknownQueues, sayUnknownTask } = late.servedQueues()
  const { browsedBackends } = late.servedBackend()
  if (queueName !== '*') sayUnknownQueues(queueName, browsedBackends(alias))
  if (task !== undefined && found === 0) await sayUnknownTask(task, backend)
}

/** `id` is what somebody gave. @throws UsageError if there is no such result and the id is none. */
async function onResults(
  options: Pick<OneOptions, keyof Globals | 'backend'>,
  id: string | undefined,
  work: (backend: TaskBackend) => Promise<number>,
): Promise<number> {
  const { withApp } = late.openedApp()
  const { browsedBackend } = late.servedBackend()
  try {
    return await withApp(options, () => work(browsedBackend(options.backend)))
  } catch (error) {
    // Ids of the app's own backends may have another form.
    if (error instanceof ResultNotFoundError && id !== undefined && !isIdText(id)) throw noId(id)
    throw error
  }
}

function noId(id: string): UsageError {
  const list = 'Run `npx tasks results` for a list with the ids.'
  const meant = didYouMean(id, ['show', 'retry', 'cancel'])
  return new UsageError(
    `${shown(id)} is not the id of a result, which is a UUID.`,
    meant === undefined ? list : `${meant} ${list}`,
  )
}
