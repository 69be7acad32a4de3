import { Command } from 'commander'
import type { TaskBackend } from '../../lib/backend'
import { NotSupportedError, UsageError } from '../../lib/errors/errors'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import { MAX_REASON } from '../../lib/settings/pause-options'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { duration, queueName, text } from '../option-parsers'
import { print, printMarked, tell } from '../output'
import { COLUMNS, counted, rowOf } from '../queues/format'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf } from '../terminal/width'

interface QueuesOptions extends Globals {
  readonly backend?: string
  readonly json?: boolean
  readonly reason?: string
  readonly for?: number
}

const PARTS = ['list', 'pause', 'resume']

export function queuesCommand(): Command {
  return (
    new Command('queues')
      .summary('list, pause or resume queues')
      .description(
        'Lists the queues with their tasks that have not ended, and whether they are paused.',
      )
      .addOption(
        option(
          '--backend <alias>',
          'Alias in TASKS of the backend. (default: the first one that stores tasks for workers; of shards all)',
          text,
        ),
      )
      .option('--json', 'Print JSON with all fields.')
      .addHelpText(
        'after',
        examples(
          'npx tasks queues',
          "npx tasks queues pause mail --reason 'provider is down' --for 2h",
          'npx tasks queues resume mail',
        ),
      )
      // Else commander speaks of too many arguments.
      .allowExcessArguments()
      .hook('preAction', (queuesOnly, called) => {
        const [word] = called.args
        if (called === queuesOnly && word !== undefined) throw unknownPart(word)
      })
      .action(doing(list))
      .addCommand(new Command('list').description('The same.').action(doing(list)))
      .addCommand(pauseCommand())
      .addCommand(
        new Command('resume')
          .description('Has workers serve a paused queue again.')
          .argument('<name>', 'Name of the queue.', queueName('name'))
          .addHelpText('after', examples('npx tasks queues resume mail'))
          .action(doing(resume)),
      )
  )
}

function pauseCommand(): Command {
  return new Command('pause')
    .description(
      'Has workers leave a queue alone. What runs goes on, and what is enqueued waits. Pausing it again replaces reason and end.',
    )
    .argument('<name>', 'Name of the queue.', queueName('name'))
    .addOption(
      option('--reason <text>', `Why, in at most ${MAX_REASON} characters.`, (name) =>
        text(name, MAX_REASON),
      ),
    )
    .addOption(
      option(
        '--for <duration>',
        'The pause ends by itself after a time such as 30s, 5m, 2h, 1d. (default: when the queue is resumed)',
        duration,
      ),
    )
    .addHelpText(
      'after',
      examples("npx tasks queues pause mail --reason 'provider is down' --for 2h"),
    )
    .action(doing(pause))
}

async function list(options: QueuesOptions): Promise<number> {
  const { browsedBackend } = late.servedBackend()
  const backendAsked = (): TaskBackend => browsedBackend(options.backend)
  return withBackend(options, backendAsked, async (backend) => {
    const { queueStates } = late.queueStates()
    const { queues, whyNoPauses } = await queueStates(backend)
    if (options.json) print(JSON.stringify(queues, null, 2))
    else if (queues.length === 0) print('No queues.')
    else {
      const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
      printMarked(fittedTable(COLUMNS, queues.map(rowOf), look))
    }
    const forRelay = queues.reduce((all, each) => all + (each.forRelay ?? 0), 0)
    if (!options.json && forRelay > 0)
      print(
        `${counted(forRelay)} of them wait in the database for the relay, which takes them to Redis.`,
      )
    if (whyNoPauses !== null) tell(whyNoPauses)
    if (options.backend === undefined) await late.places().sayOthers(backend)
    return 0
  })
}

async function pause(options: QueuesOptions, name: string): Promise<number> {
  return withQueue(options, name, async (backend, others) => {
    const { reason, for: forMs } = options
    const until =
      forMs === undefined ? undefined : new Date((await backend.now()).getTime() + forMs)
    const paused = await backend.pauseQueue(name, { reason, until })
    const end = paused.until === null ? '' : ` until ${paused.until.toISOString()}`
    if (options.json) print(JSON.stringify(paused, null, 2))
    else print(`Queue ${name}${ofWhich(backend, others)} is paused${end}.`)
    sayOthersOf(name, options, others)
    return 0
  })
}

async function resume(options: QueuesOptions, name: string): Promise<number> {
  return withQueue(options, name, async (backend, others) => {
    const isResumed = await backend.resumeQueue(name)
    if (options.json) print(JSON.stringify({ queue: name, isResumed }, null, 2))
    else
      print(
        `Queue ${name}${ofWhich(backend, others)} ${isResumed ? 'is resumed' : 'was not paused'}.`,
      )
    sayOthersOf(name, options, others)
    return 0
  })
}

/** `others` are backends elsewhere, whose queues are not touched. */
function withQueue(
  options: QueuesOptions,
  name: string,
  work: (backend: TaskBackend, others: readonly TaskBackend[]) => Promise<number>,
): Promise<number> {
  const { backendWithQueue } = late.servedBackend()
  const asked = (): TaskBackend => backendWithQueue(options.backend, name)
  return withBackend(options, asked, async (backend) =>
    work(backend, await late.places().othersThan(backend)),
  )
}

function ofWhich({ alias }: TaskBackend, others: readonly TaskBackend[]): string {
  return others.length === 0 ? '' : ` of TASKS.${alias}`
}

/** To somebody who named no backend: others have a queue of this name, too, which is as it was. */
function sayOthersOf(
  name: string,
  { backend }: QueuesOptions,
  others: readonly TaskBackend[],
): void {
  const alike = others.filter(({ settings: { queues } }) => queues.includes(name))
  if (backend !== undefined || alike.length === 0) return
  const { optionOf } = late.places()
  tell(`Other queues of this name are as they were: ${alike.map(optionOf).join(', ')}.`)
}

function withBackend(
  options: QueuesOptions,
  asked: () => TaskBackend,
  work: (backend: TaskBackend) => Promise<number>,
): Promise<number> {
  const { withApp } = late.openedApp()
  const { isServed } = late.servedBackend()
  return withApp(options, async () => {
    const backend = asked()
    if (isServed(backend) || backend.servedBy !== null) return work(backend)
    throw new NotSupportedError(
      `${backend.constructor.name} (TASKS.${backend.alias}) has no queues that can be listed or paused.`,
      'Use the Database backend for that.',
    )
  })
}

/** `queues mail`, or a mistyped `queues puase`. */
function unknownPart(word: string): UsageError {
  return new UsageError(
    `unknown command ${shown(`queues ${word}`)}.`,
    didYouMean(word, PARTS) ??
      'Write `queues pause <name>`, `queues resume <name>`, or `queues` alone for a list.',
  )
}
