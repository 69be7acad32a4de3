import { Command } from 'commander'
import type { ListQuery, TaskBackend } from '../../lib/backend'
import { isIdText } from '../../entities/formats'
import { ResultNotFoundError, UsageError } from '../../lib/errors/errors'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import type { TaskResult } from '../../lib/result'
import type { Found } from '../backends/found'
import { doing, examples, type Globals } from '../command'
import { late } from '../lazy'
import { oneLine } from '../../lib/errors/foreign-text'
import { print, printMarked, tell } from '../output'
import { boundOf, totalOf } from '../results/bound'
import {
  asJson,
  boundNote,
  cancelled,
  COLUMNS,
  fieldsOf,
  footer,
  rowOf,
  among,
  noResults,
} from '../results/format'
import { type ListedStatus, withListOptions } from '../results/options'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf, wrapTo } from '../terminal/width'

interface ListOptions extends Globals {
  readonly status?: ListedStatus
  readonly queueName: readonly string[] | '*'
  readonly task?: string
  readonly before?: string
  readonly limit: number
  readonly within: number
  readonly backend?: string
  readonly json?: boolean
  readonly watch?: boolean
}

type OneOptions = Pick<ListOptions, keyof Globals | 'backend' | 'json'>

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
        'npx tasks results --watch',
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
  const { before, limit, json } = options
  return inApp(options, before, async () => {
    const backend = late.servedBackend().browsedBackend(options.backend)
    const within = await boundOf(options, backend)
    const query = queryOf(options, within)
    const isNamed = options.backend !== undefined
    if (options.watch) {
      if (!isNamed) await late.places().sayOthers(backend)
      return watched(options, backend, query)
    }
    const results = await backend.list(query)
    await sayUnknown(options, backend, results.length, within)
    if (json) print(JSON.stringify(results.map(asJson), null, 2))
    else if (results.length === 0) print(noResults(within, before !== undefined))
    else await printTable(backend, query, results)
    // A full list is complete, but not its total. Scripts that read JSON find the note on standard error.
    if (within && (results.length < limit || !json)) tell(boundNote(within, before !== undefined))
    if (!isNamed) await late.places().sayOthers(backend)
    return 0
  })
}

function watched(
  { json = false, before }: ListOptions,
  backend: TaskBackend,
  query: ListQuery,
): Promise<number> {
  const empty = noResults(query.within, before !== undefined)
  return late.watchResults().watchResults(() => backend.list(query), { json, empty })
}

function queryOf(options: ListOptions, within: number | undefined): ListQuery {
  const { status, queueName, task, before, limit } = options
  return {
    limit,
    status,
    queues: queueName === '*' ? null : queueName,
    taskName: task,
    before,
    everyBackend: options.backend === undefined,
    within,
  }
}

async function printTable(
  backend: TaskBackend,
  { limit: _, status, before, ...filter }: ListQuery,
  results: readonly TaskResult<unknown>[],
): Promise<void> {
  const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
  printMarked(fittedTable(COLUMNS, results.map(rowOf), look))
  // Where all are counted, the total is the same on each page.
  const isPage = before !== undefined && !filter.within
  const total = await totalOf(backend, isPage ? filter : { ...filter, before }, status)
  print(
    wrapTo(
      look.columns,
      footer(results, total, isPage, among(filter.within, before !== undefined)),
    ),
  )
}

async function show(options: OneOptions, id: string): Promise<number> {
  return onResult(options, id, async ({ result }) => {
    print(options.json ? JSON.stringify(asJson(result), null, 2) : fieldsOf(result))
    return 0
  })
}

async function retry(options: OneOptions, id: string): Promise<number> {
  return onResult(options, id, async (found) => {
    // As it was: a worker may have it again when the retry is answered.
    const { queueName, errors, attempts } = found.result
    const result = await found.backend.retry(found.result.id)
    const error = errors.at(-1)?.exceptionClassPath || 'an unknown error'
    const text = `${named(found)} is READY again in queue ${queueName}; it had failed with ${error} after ${attempts} attempt(s).`
    print(options.json ? JSON.stringify(asJson(result), null, 2) : oneLine(text))
    return 0
  })
}

async function cancel(options: OneOptions, id: string): Promise<number> {
  return onResult(options, id, async (found) => {
    const { status } = found.result
    const result = await found.result.cancel()
    const text = `${named(found)} ${cancelled(result, status)}.`
    print(options.json ? JSON.stringify(asJson(result), null, 2) : oneLine(text))
    return 0
  })
}

function named({ backend, result, isOneOfSeveral }: Found): string {
  const where = isOneOfSeveral ? ` backend=${backend.alias}` : ''
  return `Task id=${result.id} path=${result.taskName}${where}`
}

/** Says what in the filter may be a typing error. Not an error: rows of a queue or a task that the app no longer has are still there. */
async function sayUnknown(
  { queueName, task, backend: alias }: ListOptions,
  backend: TaskBackend,
  found: number,
  within: number | undefined,
): Promise<void> {
  const { sayUnknownQueues, sayUnknownTask } = late.servedQueues()
  const { browsedBackends } = late.servedBackend()
  if (queueName !== '*') sayUnknownQueues(queueName, browsedBackends(alias))
  if (task !== undefined && found === 0) await sayUnknownTask(task, backend, within)
}

/** Of the id that somebody gave, wherever it is, unless the call names the backend. */
function onResult(
  options: OneOptions,
  id: string,
  work: (found: Found) => Promise<number>,
): Promise<number> {
  const { foundResult } = late.foundResult()
  return inApp(options, id, async () => work(await foundResult(id, options.backend)))
}

/** `id` is what somebody gave. @throws UsageError if there is no such result and the id is none. */
async function inApp(
  options: Globals,
  id: string | undefined,
  work: () => Promise<number>,
): Promise<number> {
  const { withApp } = late.openedApp()
  try {
    return await withApp(options, work)
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
