import type { EntitySubscriberInterface, QueryRunner } from 'typeorm'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import { depthOf } from '../connections/savepoint'

/** What is to be told of one transaction, by a key: what is told twice is told once. */
type Pending = Map<string, () => void>

/** What is to be undone if a transaction is rolled back to before it: `depth` is that of the savepoint that it happened in. */
interface Undoing {
  depth: number
  readonly undo: () => void
}

const commits = onePerProcess('commits', () => {
  // By the object that a runner carries for subscribers: a runner may be passed on behind a proxy.
  const pending = new WeakMap<object, Pending>()
  const undoing = new WeakMap<object, readonly Undoing[]>()
  const subscriber: EntitySubscriberInterface = {
    afterTransactionCommit({ queryRunner }) {
      const { isTransactionActive } = queryRunner
      const data = queryRunner.data as object
      // A savepoint: what is in it can be seen when the whole is committed, and is a part of what is around it.
      for (const each of undoing.get(data) ?? [])
        each.depth = Math.min(each.depth, depthOf(queryRunner))
      if (isTransactionActive) return
      const all = pending.get(data)
      pending.delete(data)
      undoing.delete(data)
      for (const tell of all?.values() ?? []) tell()
    },
    afterTransactionRollback({ queryRunner }) {
      const data = queryRunner.data as object
      const all = undoing.get(data) ?? []
      const depth = queryRunner.isTransactionActive ? depthOf(queryRunner) : 0
      undoing.set(
        data,
        all.filter((each) => each.depth <= depth),
      )
      if (depth === 0) pending.delete(data)
      // The last one first: it knows what the one before it has left.
      for (const each of all.toReversed()) if (each.depth > depth) each.undo()
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

/** Calls `undo`, which must not throw, if the transaction of `runner`, or the savepoint that it is in, is rolled back. */
export function afterRollback(runner: QueryRunner, undo: () => void): void {
  const { undoing } = commits
  const data = watched(runner)
  undoing.set(data, [...(undoing.get(data) ?? []), { depth: depthOf(runner), undo }])
}

function watched({ connection: { subscribers }, data }: QueryRunner): object {
  const { subscriber } = commits
  // TypeORM makes the list anew with each `initialize`.
  if (!subscribers.includes(subscriber)) subscribers.push(subscriber)
  return data as object
}
