import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { familyOf } from '../../entities/database-family'
import { DatabaseError, NotSupportedError } from '../../lib/errors/errors'
import { LeaseLost } from '../../lib/errors/run-errors'
import type { Outcome } from '../../lib/store'
import { livesInMemory } from './connections/worker-connections'
import { dialectFor } from './dialects/dialect-for'
import { discard } from './connections/driver-connection'
import { Session } from './connections/session'
import { onSoleConnection } from './connections/sqlite-turns'
import { finishRow } from './store'
import { tableOf } from './table'
import { joining } from './ambient-transaction'

type Work = (manager: EntityManager) => Promise<Outcome>

/**
 * Runs `work` in a transaction of the app's DataSource, which commits together with the outcome it gives, or not at all.
 *
 * @throws LeaseLost if the row is not held any more, or was cancelled; what `work` throws. Then nothing is written.
 */
export async function completeInTransaction(app: DataSource, work: Work): Promise<void> {
  // There the worker's own claims would be part of the transaction, and vanish with it.
  if (livesInMemory(app))
    throw new NotSupportedError(
      'A database in memory has one connection, so a task cannot have a transaction of its own in it.',
      'Use a file, or leave `transactional` out.',
    )
  const table = await tableOf(app)
  if (familyOf(table.type) === 'sqlite')
    return onSoleConnection(app, table.path, (runner, lock) =>
      transaction(runner, undefined, (manager) =>
        lock(manager).then(() => completed(app, manager, work)),
      ),
    )
  const runner = app.createQueryRunner()
  try {
    await transaction(runner, isolationFor(table.type), (manager) => completed(app, manager, work))
  } finally {
    await runner.release()
  }
}

/** The handler's writes and the outcome, by one connection. */
async function completed(app: DataSource, manager: EntityManager, work: Work): Promise<void> {
  const outcome = await joining(app, manager, work)
  const kept = await dialectFor(await tableOf(app)).finish(Session.of(manager, app), [
    finishRow(outcome),
  ])
  if (!kept.has(outcome.key)) throw new LeaseLost()
}

async function transaction(
  runner: QueryRunner,
  isolation: 'READ COMMITTED' | undefined,
  work: (manager: EntityManager) => Promise<void>,
): Promise<void> {
  await runner.startTransaction(isolation)
  try {
    await work(runner.manager)
    // TypeORM would take the commit for that of the inner one.
    if (depthOf(runner) > 1)
      throw new DatabaseError(
        'Another transaction was open on the connection when the task returned, so its own could not commit.',
        'Await every transaction that the task opens; on SQLite, let no other run beside it.',
      )
    await runner.commitTransaction()
  } catch (error) {
    await rollBackAll(runner)
      .catch(() => discard(runner))
      .catch(() => {})
    throw error
  }
}

/** TypeORM goes back by one savepoint at a time. */
async function rollBackAll(runner: QueryRunner): Promise<void> {
  for (let isOutermost = !runner.isTransactionActive; !isOutermost;) {
    isOutermost = depthOf(runner) <= 1
    await runner.rollbackTransaction()
  }
}

/** How many transactions are open one within the other; TypeORM knows, and does not say. */
function depthOf(runner: QueryRunner): number {
  return Number(Reflect.get(runner, 'transactionDepth'))
}

/** Renewals change the row while its task runs; at a stricter level the completion would fail for that. */
function isolationFor(type: string): 'READ COMMITTED' | undefined {
  return familyOf(type) === 'other' || type === 'cockroachdb' ? undefined : 'READ COMMITTED'
}
