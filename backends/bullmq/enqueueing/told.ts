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

/** Tells idle workers of jobs that are due, in the same turn as they are sent; not of each in a stream of them. */
export function tellOf(connection: Connection, jobs: readonly NewJob[]): void {
  const queues = new Set(jobs.filter(isDue).map(({ order }) => order.task.queueName))
  for (const queue of queues)
    if (isDueToTell(connection, queue)) tell(connection, { what: 'ready', queue })
}

/** What is not heard is found by looking. */
export function tell({ client, names }: Connection, wakeup: Wakeup): void {
  client.publish(names.wakeups, JSON.stringify(wakeup)).catch(() => {})
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
