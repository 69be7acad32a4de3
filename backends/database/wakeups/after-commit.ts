import type { EntitySubscriberInterface, QueryRunner } from 'typeorm'
import { onePerProcess } from '../../../lib/copies/one-per-process'

/** What is to be told of one transaction, by a key: what is told twice is told once. */
type Pending = Map<string, () => void>

const commits = onePerProcess('commits', () => {
  // By the object that a runner carries for subscribers: a runner may be passed on behind a proxy.
  const pending = new WeakMap<object, Pending>()
  const undoing = new WeakMap<object, (() => void)[]>()
  const subscriber: EntitySubscriberInterface = {
    afterTransactionCommit({ queryRunner: { data, isTransactionActive } }) {
      // A savepoint: what is in it can be seen when the whole is committed.
      if (isTransactionActive) return
      const all = pending.get(data as object)
      pending.delete(data as object)
      undoing.delete(data as object)
      for (const tell of all?.values() ?? []) tell()
    },
    afterTransactionRollback({ queryRunner: { data, isTransactionActive } }) {
      if (isTransactionActive) return
      pending.delete(data as object)
      const all = undoing.get(data as object)
      undoing.delete(data as object)
      for (const undo of all ?? []) undo()
    },
  }
  return { pending, undoing, subscriber }
})

/** Calls `tell`, which must not throw, once the transaction of `runner` is committed; of those with one key the last one. */
export function afterCommit(runner: QueryRunner, key: string, tell: () => void): void {
  const { pending } = commits
  const data = watched(runner)
  const all = pending.get(data) ?? new Map<string, () => void>()
  pending.set(data, all.set(key, tell))
}

/** Calls `undo`, which must not throw, if the transaction of `runner` is rolled back as a whole. */
export function afterRollback(runner: QueryRunner, undo: () => void): void {
  const { undoing } = commits
  const data = watched(runner)
  undoing.set(data, [...(undoing.get(data) ?? []), undo])
}

function watched({ connection: { subscribers }, data }: QueryRunner): object {
  const { subscriber } = commits
  // TypeORM makes the list anew with each `initialize`.
  if (!subscribers.includes(subscriber)) subscribers.push(subscriber)
  return data as object
}
