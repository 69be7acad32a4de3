import type { DataSource } from 'typeorm'
import type { Order } from '../../../lib/order'
import { clock } from '../../../lib/clock'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import type { Wakeup } from '../../../lib/store'
import type { Database } from '../connections/same-database'
import type { Session } from '../connections/session'
import { endsElsewhere } from '../foreign/manager-on'
import { addressOnHost } from '../profiles/address'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'
import { afterCommit } from './after-commit'
import { type Folder, folderOf, MOST_QUEUES } from './folder'
import type { Hear } from './notify'
import { Touch } from './touch'
import { Watch } from './watch'

/** Least time in ms between two wake-ups by one process for one queue, while rows follow each other closely. */
const STREAM_MS = 50
/** Rows at least this far apart, in ms, are told one by one: an idle worker would look again that soon by itself. */
const APART_MS = 10

/**
 * How workers hear of rows and cancels of one table before they ask, once these can be seen: within this process always,
 * elsewhere as the profile of the database says, if the option `notify` allows (`notifies`). Where that is by NOTIFY,
 * statements do it.
 */
export class Wakeups {
  readonly #database: Database
  readonly #byNotify: boolean
  readonly #folder: Folder | undefined
  readonly #touch: Touch | undefined

  constructor({ options }: DataSource, table: Table, database: Database) {
    const { wakesBy, livesInMemory } = profileOf(table.type)
    this.#database = database
    this.#byNotify = wakesBy === 'notify'
    if (wakesBy !== 'files' || livesInMemory(options.database)) return
    this.#folder = folderOf(addressOnHost(options, table.port), table.path)
    this.#touch = new Touch(this.#folder)
  }

  /** Hears what is told of the table, not by NOTIFY; the returned function ends that. */
  hear(hear: Hear, notifies: boolean): () => void {
    const unhear = hearInProcess(this.#database, hear)
    const watch = this.#folder && notifies ? new Watch(this.#folder, hear) : undefined
    watch?.begin()
    return () => (unhear(), watch?.end())
  }

  /** The queues of which idle workers should hear, of those in which these orders are due now; `written` must follow. */
  queuesOf(orders: readonly Order[], session: Session, notifies: boolean): readonly string[] {
    const queues = queuesDue(orders)
    const { isInTransaction } = session
    // It is decided after the commit.
    if (isInTransaction && !(notifies && this.#byNotify)) return queues
    return queues.filter((queue) => isDueToTell(this.#database, isInTransaction, queue))
  }

  /** The statement has ended that may have written rows into these queues. */
  written(queues: readonly string[], isAnyNew: boolean, session: Session, notifies: boolean): void {
    if (!isAnyNew || !notifies) takeBack(this.#database, session.isInTransaction, queues)
    if (isAnyNew) for (const queue of queues) this.tell({ what: 'ready', queue }, session, notifies)
  }

  /** Tells what a statement of that session has written: in a transaction when that is committed. */
  tell(wakeup: Wakeup, session: Session, notifies: boolean): void {
    if (!session.isInTransaction) return this.#tell(wakeup, notifies)
    // Heard when the transaction commits.
    if (notifies && this.#byNotify) return
    const tell = (): void => {
      if (wakeup.what !== 'ready' || isDueToTell(this.#database, false, wakeup.queue))
        this.#tell(wakeup, notifies)
    }
    const { queryRunner } = session.manager
    // Of a foreign transaction the end is not seen. A worker that finds nothing looks again after 10, 20, 40 ms and so on,
    // so it is late by no more than the length of the transaction.
    if (!queryRunner || endsElsewhere(queryRunner)) tell()
    else afterCommit(queryRunner, keyOfTold(wakeup), tell)
  }

  #tell(wakeup: Wakeup, notifies: boolean): void {
    tellInProcess(this.#database, wakeup)
    if (notifies) this.#touch?.tell(wakeup)
  }
}

/** What is told twice in a transaction, by one key, is told once. */
function keyOfTold(wakeup: Wakeup): string {
  if (wakeup.what === 'ready') return wakeup.queue
  return wakeup.what === 'cancel' ? ` ${wakeup.key}` : ` pause ${wakeup.queue}`
}

const NONE: readonly string[] = []

function queuesDue(orders: readonly Order[]): readonly string[] {
  const [first] = orders
  if (!first) return NONE
  if (orders.length === 1) return isDueNow(first) ? [first.task.queueName] : NONE
  // One queue, unless a middleware changed some of the orders.
  return [...new Set(orders.filter(isDueNow).map(({ task }) => task.queueName))]
}

function isDueNow({ task: { runAfter }, key, flow }: Order): boolean {
  if (key?.kind === 'debounce' || flow?.awaits) return false
  return runAfter === null || runAfter.getTime() <= Date.now()
}

/** By database, since the data source of a worker may be another one than that of an enqueue. */
const listeners = onePerProcess('listeners', () => new WeakMap<Database, Set<Hear>>())

/** Hears what is told within this process; the returned function ends that. */
function hearInProcess(database: Database, hear: Hear): () => void {
  const all = listeners.get(database) ?? new Set()
  listeners.set(database, all.add(hear))
  return () => void all.delete(hear)
}

/** Wakes the workers of this process. */
function tellInProcess(database: Database, wakeup: Wakeup): void {
  for (const hear of listeners.get(database) ?? []) hear(wakeup)
}

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
function takeBack(database: Database, inTransaction: boolean, queues: readonly string[]): void {
  for (const queue of queues) timesOf.get(database)?.delete(keyOf(inTransaction, queue))
}

function keyOf(inTransaction: boolean, queue: string): string {
  return `${inTransaction ? 'later' : 'now'} ${queue}`
}
