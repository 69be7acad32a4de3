import { createHash } from 'node:crypto'
import { clock } from '../../lib/clock'
import type { Order } from '../../lib/backend'
import { onePerProcess } from '../../lib/copies/one-per-process'
import { log } from '../../lib/events/logger'
import type { Wakeup } from '../../lib/store'
import type { Database } from './connections/same-database'
import { listen } from './connections/driver-connection'
import type { SetUp } from './connections/worker-connections'
import { profileOf } from './profiles/profile-of'
import type { Table } from './table'

export type Hear = (wakeup: Wakeup) => void

/** PostgreSQL's limit for the name of a channel, in bytes. */
const LONGEST_NAME = 63

/** Least time between two NOTIFYs of one process for one queue, while rows follow each other closely. */
const NOTIFY_MS = 50
/** Rows at least this far apart are notified one by one: an idle worker would look again that soon by itself. */
const APART_MS = 10
/** Apps may make up queues as they go. */
const MOST_QUEUES = 1000

interface Times {
  readonly notifiedAt: number
  readonly askedAt: number
}

const NEVER: Times = { notifiedAt: Number.NEGATIVE_INFINITY, askedAt: Number.NEGATIVE_INFINITY }

/** By database, since the data source of a worker may be another one than that of an enqueue. */
const listeners = onePerProcess('listeners', () => new WeakMap<Database, Set<Hear>>())
const timesOf = onePerProcess('notifications', () => new WeakMap<Database, Map<string, Times>>())

/** The channel of the server's NOTIFY for a table. */
export function channelOf({ name }: Pick<Table, 'name'>): string {
  const channel = `tasks:${name}`
  return Buffer.byteLength(channel) <= LONGEST_NAME
    ? channel
    : `tasks:${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/** Sets a connection up to hear what other processes notify of a table; undefined where the database cannot pass it on. */
export function listenerOn(table: Table, hear: Hear): SetUp | undefined {
  const { listens, whyDeaf } = profileOf(table.type)
  if (whyDeaf !== undefined) log.debug(whyDeaf)
  if (!listens) return undefined
  return (runner) =>
    listen(runner, channelOf(table), (payload) => {
      const wakeup = wakeupOf(payload)
      if (wakeup) hear(wakeup)
    })
}

/** Hears what is notified within this process; the returned function ends that. */
export function hearInProcess(database: Database, hear: Hear): () => void {
  const all = listeners.get(database) ?? new Set()
  listeners.set(database, all.add(hear))
  return () => void all.delete(hear)
}

/** Notifies the workers of this process. */
export function tellInProcess(database: Database, wakeup: Wakeup): void {
  for (const hear of listeners.get(database) ?? []) hear(wakeup)
}

/** The queues of which idle workers should be notified, of those in which these orders are due now. */
export function queuesToTell(
  database: Database,
  inTransaction: boolean,
  orders: readonly Order[],
): readonly string[] {
  const [first] = orders
  if (!first) return []
  const { queueName } = first.task
  if (orders.length === 1)
    return isDueNow(first) && isDueToTell(database, inTransaction, queueName) ? [queueName] : []
  // One queue, unless a middleware changed some of the orders.
  const queues = new Set(orders.filter(isDueNow).map(({ task }) => task.queueName))
  return [...queues].filter((queue) => isDueToTell(database, inTransaction, queue))
}

/** Nobody was notified of these queues after all: the next enqueue must not rely on it. */
export function takeBack(
  database: Database,
  inTransaction: boolean,
  queues: readonly string[],
): void {
  for (const queue of queues) timesOf.get(database)?.delete(keyOf(inTransaction, queue))
}

/** `cancel <key>`, `ready <queue>`; words of a later version are ignored. */
function wakeupOf(payload: string): Wakeup | undefined {
  const [what, which] = payload.split(' ')
  if (which === undefined) return undefined
  return what === 'cancel'
    ? { what, key: which }
    : what === 'ready'
      ? { what, queue: which }
      : undefined
}

/**
 * Whether idle workers should be notified of a row in that queue. Not of each in a stream of rows, since a NOTIFY takes a
 * lock of the whole server at its commit; a worker that was just notified, or has just worked, looks again soon enough.
 */
export function isDueToTell(database: Database, inTransaction: boolean, queue: string): boolean {
  const queues = timesOf.get(database) ?? new Map<string, Times>()
  timesOf.set(database, queues)
  const now = clock.now()
  // A NOTIFY in a transaction is heard when that commits, so it does not count for rows enqueued outside of it.
  const key = keyOf(inTransaction, queue)
  const { notifiedAt, askedAt } = queues.get(key) ?? NEVER
  const isDue = now - askedAt >= APART_MS || now - notifiedAt >= NOTIFY_MS
  if (queues.size >= MOST_QUEUES) queues.clear()
  queues.set(key, { notifiedAt: isDue ? now : notifiedAt, askedAt: now })
  return isDue
}

function keyOf(inTransaction: boolean, queue: string): string {
  return `${inTransaction ? 'later' : 'now'} ${queue}`
}

function isDueNow({ task: { runAfter } }: Order): boolean {
  return runAfter === null || runAfter.getTime() <= Date.now()
}
