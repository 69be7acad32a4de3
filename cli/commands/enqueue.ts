import { Argument, Command } from 'commander'
import type { Task } from '../../lib/tasks/task'
import { tasks } from '../../lib/registry'
import type { CallOptions, TaskOptions } from '../../lib/tasks/task-options'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { print } from '../output'
import * as read from '../option-parsers'

interface EnqueueOptions extends Globals {
  readonly kwargs?: Record<string, unknown>
  readonly runAfter?: Date
  readonly queueName?: string
  readonly priority?: number
  readonly uniqueKey?: string
  readonly backend?: string
  readonly remote?: boolean
}

const MAX_UNIQUE_KEY = 126

export function enqueueCommand(): Command {
  return new Command('enqueue')
    .summary('enqueue a task by name')
    .description('Enqueues a task by name and prints the id of its result.')
    .addArgument(new Argument('<name>', 'Name of the task.'))
    .addArgument(
      new Argument('[args]', 'Arguments as a JSON array. (default: none)').argParser(
        read.jsonArray('args'),
      ),
    )
    .addOption(
      option(
        '--kwargs <json>',
        'Keyword arguments as a JSON object, passed as the last argument.',
        read.jsonObject,
      ),
    )
    .addOption(
      option(
        '--run-after <when>',
        'Earliest start: a time such as 2030-01-31T18:00:00Z or a delay such as +30s, +5m, +2h, +1d.',
        read.instant,
      ),
    )
    .addOption(
      option('--queue-name <name>', "Queue to use. (default: the task's own)", read.queueName),
    )
    .addOption(
      option(
        '--priority <number>',
        "-100 to 100; higher runs first. (default: the task's own)",
        (name) => read.wholeNumber(name, { least: -100, most: 100 }),
      ),
    )
    .addOption(
      option(
        '--unique-key <key>',
        `At most ${MAX_UNIQUE_KEY} characters. If a task with this key is waiting or running, print its id and enqueue nothing.`,
        (name) => read.text(name, MAX_UNIQUE_KEY),
      ),
    )
    .addOption(
      option(
        '--backend <alias>',
        "Alias in TASKS of the backend. (default: the task's own)",
        read.text,
      ),
    )
    .option('--remote', 'The task is defined in another app; do not look up its name.')
    .addHelpText('after', examples(`npx tasks enqueue mail.send '[42, "warm"]' --run-after +5m`))
    .action(doing(enqueue))
}

async function enqueue(
  {
    kwargs = {},
    runAfter,
    queueName,
    priority,
    uniqueKey,
    backend,
    remote,
    ...globals
  }: EnqueueOptions,
  name: string,
  args: unknown[] = [],
): Promise<number> {
  const { withApp } = late.openedApp()
  const { backendOf } = late.servedBackend()
  const work = async (): Promise<number> => {
    if (backend !== undefined) backendOf(backend)
    const here: Pick<CallOptions & TaskOptions, 'queueName' | 'priority' | 'backend'> = given({
      queueName,
      priority,
      backend,
    })
    const task: Task<unknown[], unknown> = remote
      ? late.define().remoteTask(name, here)
      : tasks.get(name)
    const result = await task
      .using({ ...here, ...given({ runAfter, uniqueKey }) })
      .enqueueWith({ args, kwargs })
    print(result.id)
    return 0
  }
  return withApp(globals, work, { needsTasks: !remote })
}

/** Only the options that were given; the task's own values apply for the others. */
function given<Values extends object>(
  values: Values,
): { [Key in keyof Values]?: Exclude<Values[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Values]?: Exclude<Values[Key], undefined>
  }
}
