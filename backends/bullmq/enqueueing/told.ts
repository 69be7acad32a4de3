import { clock } from '../../../lib/clock'
import type { Wakeup } from '../../../lib/store'
import type { Connection } from '../connection'
import type { NewJob } from './new-job'

/** Least time in ms between two wake-ups by one process for one queue, while jobs follow each other closely. */
const STREAM_MS = 50
/** Jobs at least this far apart, in ms, are told one by one: an idle worker would look again that soon by itself. */
const APART_MS = 10
/** Names of queues that are remembered. */
const MOST_QUEUES = 1_000

interface Times {
  readonly toldAt: number
  readonly askedAt: number
}

const NEVER: Times = { toldAt: Number.NEGATIVE_INFINITY, askedAt: Number.NEGATIVE_INFINITY }

const timesOf = new WeakMap<Connection, Map<string, Times>>()

/** Which of these jobs tell idle workers that they are there: the last one of each queue. Not each in a stream of jobs. */
export function toldWith(
  connection: Connection,
  jobs: readonly NewJob[],
): ReadonlyMap<NewJob, Wakeup> {
  const last = new Map<string, NewJob>()
  // From the end, where mostly one job is looked at for all of its queue.
  for (const job of jobs.toReversed()) {
    const { queueName } = job.order.task
    if (!last.has(queueName) && isDue(job)) last.set(queueName, job)
  }
  const told = new Map<NewJob, Wakeup>()
  for (const [queue, job] of last)
    if (isDueToTell(connection, queue)) told.set(job, { what: 'ready', queue })
  return told
}

/** What idle workers are told with a job that is alone. */
export function toldWithOne(connection: Connection, job: NewJob): Wakeup | undefined {
  const queue = job.order.task.queueName
  return isDue(job) && isDueToTell(connection, queue) ? { what: 'ready', queue } : undefined
}

function isDue({ json: { timestamp }, order: { task, key } }: NewJob): boolean {
  if (key?.kind === 'debounce') return false
  return task.runAfter === null || task.runAfter.getTime() <= timestamp
}

function isDueToTell(connection: Connection, queue: string): boolean {
  const queues = timesOf.get(connection) ?? new Map<string, Times>()
  timesOf.set(connection, queues)
  const now = clock.now()
  const { toldAt, askedAt } = queues.get(queue) ?? NEVER
  const isDue = now - askedAt >= APART_MS || now - toldAt >= STREAM_MS
  if (queues.size >= MOST_QUEUES) queues.clear()
  queues.set(queue, { toldAt: isDue ? now : toldAt, askedAt: now })
  return isDue
}
