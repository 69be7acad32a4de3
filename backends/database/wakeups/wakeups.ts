import type { DataSource } from 'typeorm'
import type { Order } from '../../../lib/backend'
import type { Wakeup } from '../../../lib/store'
import type { Database } from '../connections/same-database'
import type { Session } from '../connections/session'
import { endsElsewhere } from '../foreign/manager-on'
import { addressOnHost } from '../profiles/address'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'
import { afterCommit } from './after-commit'
import { type Folder, folderOf } from './folder'
import { hearInProcess, tellInProcess } from './in-process'
import type { Hear } from './notify'
import { isDueToTell, takeBack } from './throttle'
import { Touch } from './touch'
import { Watch } from './watch'

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
      if (wakeup.what === 'cancel' || isDueToTell(this.#database, false, wakeup.queue))
        this.#tell(wakeup, notifies)
    }
    const { queryRunner } = session.manager
    // Of a foreign transaction the end is not seen. A worker that finds nothing looks again after 10, 20, 40 ms and so on,
    // so it is late by no more than the length of the transaction.
    if (!queryRunner || endsElsewhere(queryRunner)) tell()
    else afterCommit(queryRunner, wakeup.what === 'ready' ? wakeup.queue : ` ${wakeup.key}`, tell)
  }

  #tell(wakeup: Wakeup, notifies: boolean): void {
    tellInProcess(this.#database, wakeup)
    if (notifies) this.#touch?.tell(wakeup)
  }
}

const NONE: readonly string[] = []

function queuesDue(orders: readonly Order[]): readonly string[] {
  const [first] = orders
  if (!first) return NONE
  if (orders.length === 1) return isDueNow(first) ? [first.task.queueName] : NONE
  // One queue, unless a middleware changed some of the orders.
  return [...new Set(orders.filter(isDueNow).map(({ task }) => task.queueName))]
}

function isDueNow({ task: { runAfter } }: Order): boolean {
  return runAfter === null || runAfter.getTime() <= Date.now()
}
