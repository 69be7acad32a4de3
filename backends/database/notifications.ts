import { createHash } from 'node:crypto'
import type { DataSource } from 'typeorm'
import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import type { Hint } from '../../lib/store'
import type { SetUp } from './connections/dedicated-connection'
import { listen } from './connections/driver-connection'
import type { Table } from './table'

export type Hear = (hint: Hint) => void

/** PostgreSQL takes no longer name for a channel. */
const LONGEST_NAME = 63

/** Milliseconds between two NOTIFYs of one process for one queue, while rows follow each other closely. */
const TELLING = 50
/** Rows at least so many milliseconds apart are told one by one: as soon as an idle worker would look again by itself. */
const APART = 10
/** Apps may make up queues as they go. */
const MOST_QUEUES = 1000

const listeners = new WeakMap<DataSource, Set<Hear>>()

/** The channel on which the servers' NOTIFY speaks of a table. */
export function channelOf({ name }: Pick<Table, 'name'>): string {
  const channel = `tasks:${name}`
  return Buffer.byteLength(channel) <= LONGEST_NAME
    ? channel
    : `tasks:${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/** What makes a connection hear what others tell of a table, where the database can pass it on; undefined where not. */
export function listenerOn(table: Table, hear: Hear): SetUp | undefined {
  if (table.type === 'cockroachdb')
    log.debug('CockroachDB has no LISTEN: that a task was cancelled is heard at the next renewal')
  if (table.type !== 'postgres') return undefined
  return (runner) =>
    listen(runner, channelOf(table), (payload) => {
      const hint = hintOf(payload)
      if (hint) hear(hint)
    })
}

/** Hears what is told in this very process; the function it gives back ends that. */
export function hearInProcess(app: DataSource, hear: Hear): () => void {
  const all = listeners.get(app) ?? new Set()
  listeners.set(app, all.add(hear))
  return () => void all.delete(hear)
}

/** Tells the workers of this process. */
export function tellInProcess(app: DataSource, hint: Hint): void {
  for (const hear of listeners.get(app) ?? []) hear(hint)
}

/** `cancel <key>`, `ready <queue>`; words of a later version are passed over. */
function hintOf(payload: string): Hint | undefined {
  const [what, which] = payload.split(' ')
  if (which === undefined) return undefined
  return what === 'cancel'
    ? { what, key: which }
    : what === 'ready'
      ? { what, queue: which }
      : undefined
}

interface Times {
  readonly toldAt: number
  readonly askedAt: number
}

/**
 * Whether idle workers are to be told of a row in that queue: not of each in a stream of them, since a NOTIFY takes a
 * lock of the whole server at its commit. A worker that has just been told, or has just worked, looks again soon enough.
 */
export function isDueToTell(app: DataSource, inTransaction: boolean, queue: string): boolean {
  const queues = told.get(app) ?? new Map<string, Times>()
  told.set(app, queues)
  const now = clock.now()
  // What is told in a transaction is heard when that commits, so it says nothing for what is enqueued beside it.
  const key = `${inTransaction ? 'later' : 'now'} ${queue}`
  const { toldAt, askedAt } = queues.get(key) ?? {
    toldAt: Number.NEGATIVE_INFINITY,
    askedAt: Number.NEGATIVE_INFINITY,
  }
  const isDue = now - askedAt >= APART || now - toldAt >= TELLING
  if (queues.size >= MOST_QUEUES) queues.clear()
  queues.set(key, { toldAt: isDue ? now : toldAt, askedAt: now })
  return isDue
}

const told = new WeakMap<DataSource, Map<string, Times>>()
