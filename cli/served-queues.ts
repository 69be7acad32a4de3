import type { TaskBackend } from '../lib/backend'
import { NotSupportedError, UsageError } from '../lib/errors/errors'
import { didYouMean, shown } from '../lib/errors/suggestions'
import { log } from '../lib/events/logger'
import { tasks } from '../lib/registry'
import type { TaskResult } from '../lib/result'

/** READY tasks that are read, the newest, to count them and to name their queues; each may have large arguments. */
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

/** For a batch that has ended: says what it left, which is due later or waits for others, and what is in queues that it did not serve. */
export async function sayLeft(
  served: readonly string[],
  excluded: readonly string[],
  backend: TaskBackend,
): Promise<void> {
  const isServed = (name: string): boolean =>
    !excluded.includes(name) && (served.includes('*') || served.includes(name))
  const known = backend.settings.queues
  const inServed = served.includes('*') ? known.filter(isServed) : served
  const left = (await ready(backend, inServed)).filter(({ queueName }) => isServed(queueName))
  const paused = await pausedOf(backend)
  const kept = left.filter(({ queueName }) => paused.includes(queueName))
  const waiting = left.filter((each) => each.isWaiting && !kept.includes(each)).length
  const rest = left.filter((each) => !each.isWaiting && !kept.includes(each))
  // By the clock of this host: it is only told.
  const due = rest.filter(({ runAfter }) => runAfter === null || runAfter.getTime() <= Date.now())
  const later = rest.length - due.length
  const parts = [
    kept.length > 0 &&
      `${count(kept.length)} in paused queues (${paused.filter(isServed).join(', ')})`,
    later > 0 && `${count(later)} due later`,
    // It ended since there was none.
    due.length > 0 && `${count(due.length)} given back or enqueued meanwhile`,
    waiting > 0 && `${count(waiting)} waiting for other tasks of their flows`,
  ].filter((part) => part !== false)
  if (parts.length > 0) log.info(`Left are task(s) in its queues: ${parts.join(', ')}.`)
  const unserved = known.filter((name) => !isServed(name))
  const others = (await ready(backend, unserved))
    .map(({ queueName }) => queueName)
    .filter((name) => !isServed(name))
  if (others.length > 0)
    log.info(
      `${count(others.length)} task(s) wait in queues that this worker does not serve (${[...new Set(others)].toSorted().join(', ')}): see --queue-name.`,
    )
}

/** None where queues cannot be paused. */
async function pausedOf(backend: TaskBackend): Promise<readonly string[]> {
  try {
    return (await backend.pausedQueues()).map(({ queue }) => queue)
  } catch (error) {
    if (error instanceof NotSupportedError) return []
    throw error
  }
}

/** The newest READY tasks of these queues; none: of all. Not counts(): those of all finished tasks take seconds in a large table. */
function ready(
  backend: TaskBackend,
  queues: readonly string[],
): Promise<readonly TaskResult<unknown>[]> {
  return backend.list({
    status: 'READY',
    queues: queues.length > 0 ? queues : null,
    limit: MOST_READ,
  })
}

function count(number: number): string {
  return `${number}${number === MOST_READ ? ' or more' : ''}`
}
