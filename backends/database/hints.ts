import { createHash } from 'node:crypto'
import type { DataSource } from 'typeorm'
import { log } from '../../lib/log'
import type { Hint } from '../../lib/store'
import type { SetUp } from './held-connection'
import { listen } from './raw-connection'
import type { Table } from './table'

export type Hear = (hint: Hint) => void

/** PostgreSQL takes no longer name for a channel. */
const LONGEST_NAME = 63

const listeners = new WeakMap<DataSource, Set<Hear>>()

/** The channel on which the servers' NOTIFY speaks of a table. */
export function channelOf({ name }: Pick<Table, 'name'>): string {
  const channel = `tasks:${name}`
  return Buffer.byteLength(channel) <= LONGEST_NAME ? channel : `tasks:${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/** What makes a connection hear what others tell of a table, where the database can pass it on; undefined where not. */
export function listenerOn(table: Table, hear: Hear): SetUp | undefined {
  if (table.type === 'cockroachdb') log.debug('CockroachDB has no LISTEN: that a task was cancelled is heard at the next renewal')
  if (table.type !== 'postgres') return undefined
  return (runner) => listen(runner, channelOf(table), (payload) => {
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

/** `cancel <key>`; words of a later version are passed over. */
function hintOf(payload: string): Hint | undefined {
  const [what, key] = payload.split(' ')
  return what === 'cancel' && key !== undefined ? { what, key } : undefined
}
