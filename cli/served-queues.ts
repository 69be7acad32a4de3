import type { TaskBackend } from '../lib/backend'
import { UsageError } from '../lib/errors/errors'
import { didYouMean, shown } from '../lib/errors/suggestions'
import { log } from '../lib/events/logger'
import { tasks } from '../lib/registry'

/** Waiting tasks that are read, the newest, to name their queues; each may have large arguments. */
const MOST_READ = 100

/** @throws UsageError for a queue that TASKS does not have: nothing would ever be in it. */
export function assertQueues(
  argument: string,
  queues: readonly string[],
  { alias, settings: { queues: known } }: TaskBackend,
): void {
  const wrong = known.length === 0 ? undefined : queues.find((queue) => !known.includes(queue))
  if (wrong === undefined) return
  throw new UsageError(
    `argument ${argument}: queue ${shown(wrong)} is not in QUEUES of TASKS.${alias} (${known.join(', ')}).`,
    didYouMean(wrong, known) ?? 'Add it there, or choose one of them.',
  )
}

/** For queues whose rows are only looked at, or pruned: a queue that TASKS no longer has may still have rows. */
export function sayUnknownQueues(
  queues: readonly string[],
  backends: readonly TaskBackend[],
): void {
  const known = [...new Set(backends.flatMap(({ settings }) => settings.queues))]
  // Any queue may be used where a backend lists none.
  if (backends.some(({ settings }) => settings.queues.length === 0)) return
  for (const queue of queues.filter((each) => !known.includes(each)))
    log.warn(
      `Queue ${shown(queue)} is not in QUEUES of TASKS (${known.join(', ')}). ${didYouMean(queue, known) ?? ''}`.trim(),
    )
}

/** Says that this app has no such task, unless a row has the name: one of the newest, if there are more than `within`. */
export async function sayUnknownTask(
  name: string,
  backend: TaskBackend,
  within: number | undefined,
): Promise<void> {
  if (tasks.find(name)) return
  const rows = await backend.list({ taskName: name, everyBackend: true, limit: 1, within })
  if (rows.length > 0) return
  const known = tasks.names()
  log.warn(
    `No task is named ${shown(name)}, and no result${within ? ' looked at' : ''} is of one. ${didYouMean(name, known) ?? ''}`.trim(),
  )
}

/** For a batch that has ended: says that tasks wait in queues that it did not serve. */
export async function sayUnserved(
  served: readonly string[],
  excluded: readonly string[],
  backend: TaskBackend,
): Promise<void> {
  const isUnserved = (name: string): boolean =>
    excluded.includes(name) || !(served.includes('*') || served.includes(name))
  const known = backend.settings.queues.filter(isUnserved)
  // Not counts(): those of all finished tasks take seconds in a large table.
  const waiting = await backend.list({
    status: 'READY',
    queues: known.length > 0 ? known : null,
    limit: MOST_READ,
  })
  const others = waiting.map(({ queueName }) => queueName).filter(isUnserved)
  if (others.length > 0)
    log.info(
      `${others.length}${others.length === MOST_READ ? ' or more' : ''} task(s) wait in queues that this worker does not serve (${[...new Set(others)].toSorted().join(', ')}): see --queue-name.`,
    )
}
