import { createHash } from 'node:crypto'
import { log } from '../../../lib/events/logger'
import type { Wakeup } from '../../../lib/store'
import { listen } from '../connections/driver-connection'
import type { SetUp } from '../connections/worker-connections'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

export type Hear = (wakeup: Wakeup) => void

/** PostgreSQL's limit for the name of a channel, in bytes. */
const LONGEST_NAME = 63

/** The channel of the server's NOTIFY for a table. */
export function channelOf({ name }: Pick<Table, 'name'>): string {
  const channel = `tasks:${name}`
  return Buffer.byteLength(channel) <= LONGEST_NAME
    ? channel
    : `tasks:${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/** Sets a connection up to hear what other processes notify of a table; undefined where the database cannot pass it on. */
export function listenerOn(table: Table, hear: Hear): SetUp | undefined {
  const { wakesBy, whyDeaf } = profileOf(table.type)
  if (whyDeaf !== undefined) log.debug(whyDeaf)
  if (wakesBy !== 'notify') return undefined
  return (runner) =>
    listen(runner, channelOf(table), (payload) => {
      const [what, which] = payload.split(' ')
      const wakeup = wakeupOf(what, which)
      if (wakeup) hear(wakeup)
    })
}

/** Of `cancel` and a key, or `ready` or `pause` and a queue; words of a later version are ignored. */
export function wakeupOf(what: string | undefined, which: string | undefined): Wakeup | undefined {
  if (which === undefined) return undefined
  if (what === 'cancel') return { what, key: which }
  return what === 'ready' || what === 'pause' ? { what, queue: which } : undefined
}
