import type { DataSource } from 'typeorm'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import type { Session } from '../connections/session'
import { profileOf } from '../profiles/profile-of'

/** The last transaction of an enqueue that has not ended. */
const writing = onePerProcess('enqueues', () => new WeakMap<DataSource, Promise<unknown>>())

/**
 * Runs a transaction of an enqueue. Where a DataSource is one connection, such as on SQLite, those of others in this process wait:
 * else they would begin a transaction within this one, and be rolled back with it.
 */
export async function oneByOne<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const dataSource = soleConnection(session)
  if (dataSource === undefined) return work()
  const mine = (writing.get(dataSource) ?? Promise.resolve()).then(work)
  const ended = mine.then(
    () => {},
    () => {},
  )
  writing.set(dataSource, ended)
  void ended.then(() => writing.get(dataSource) === ended && writing.delete(dataSource))
  return mine
}

/** What a single statement waits for, which would be rolled back with the transaction of another enqueue; undefined: nothing. */
export function ongoing(session: Session): Promise<unknown> | undefined {
  return session.isJoined ? undefined : writing.get(session.manager.connection)
}

function soleConnection({ isJoined, manager }: Session): DataSource | undefined {
  const { connection } = manager
  const isShared = !isJoined && profileOf(connection.options.type).isSoleConnection
  return isShared ? connection : undefined
}
