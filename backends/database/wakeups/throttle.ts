import { clock } from '../../../lib/clock'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import type { Database } from '../connections/same-database'

/** Least time in ms between two wake-ups by one process for one queue, while rows follow each other closely. */
const STREAM_MS = 50
/** Rows at least this far apart, in ms, are told one by one: an idle worker would look again that soon by itself. */
const APART_MS = 10
/** Apps may make up queues as they go. */
export const MOST_QUEUES = 1000

interface Times {
  readonly toldAt: number
  readonly askedAt: number
}

const NEVER: Times = { toldAt: Number.NEGATIVE_INFINITY, askedAt: Number.NEGATIVE_INFINITY }

const timesOf = onePerProcess('wake-ups', () => new WeakMap<Database, Map<string, Times>>())

/**
 * Whether idle workers should be woken for a row in that queue. Not for each in a stream of rows, since a NOTIFY takes a
 * lock of the whole server at its commit, and each wake-up costs each idle worker a poll; a worker that was just woken, or
 * has just worked, looks again soon enough.
 */
export function isDueToTell(database: Database, inTransaction: boolean, queue: string): boolean {
  const queues = timesOf.get(database) ?? new Map<string, Times>()
  timesOf.set(database, queues)
  const now = clock.now()
  // A NOTIFY in a transaction is heard when that commits, so it does not count for rows enqueued outside of it.
  const key = keyOf(inTransaction, queue)
  const { toldAt, askedAt } = queues.get(key) ?? NEVER
  const isDue = now - askedAt >= APART_MS || now - toldAt >= STREAM_MS
  if (queues.size >= MOST_QUEUES) queues.clear()
  queues.set(key, { toldAt: isDue ? now : toldAt, askedAt: now })
  return isDue
}

/** Nobody was told of these queues after all: the next enqueue must not rely on it. */
export function takeBack(
  database: Database,
  inTransaction: boolean,
  queues: readonly string[],
): void {
  for (const queue of queues) timesOf.get(database)?.delete(keyOf(inTransaction, queue))
}

function keyOf(inTransaction: boolean, queue: string): string {
  return `${inTransaction ? 'later' : 'now'} ${queue}`
}
