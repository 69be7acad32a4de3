import type { EntityManager, QueryRunner } from 'typeorm'
import { DatabaseError, NotSupportedError } from '../../lib/errors/errors'
import { LeaseLost } from '../../lib/errors/run-errors'
import type { Outcome } from '../../lib/store'
import { discard } from './connections/driver-connection'
import { Session } from './connections/session'
import { onSoleConnection } from './connections/sqlite-turns'
import { livesInMemory } from './connections/worker-data-source'
import { joining, type Place } from './place'
import type { Profile } from './profiles/profile'
import { profileOf } from './profiles/profile-of'
import { finishRow } from './store'

type Work = (manager: EntityManager) => Promise<Outcome>

/**
 * Runs `work` in a transaction of the app's DataSource, which commits together with the outcome it gives, or not at all.
 *
 * @throws LeaseLost if the row is no longer held, or was cancelled; what `work` throws. Then nothing is written.
 */
export async function completeInTransaction(place: Place, work: Work): Promise<void> {
  const { dataSource: app, table } = place
  // The worker's own claims would be part of the transaction, and be rolled back with it.
  if (livesInMemory(app))
    throw new NotSupportedError(
      'A database in memory has one connection, so a task cannot have a transaction of its own in it.',
      'Use a file, or leave `transactional` out.',
    )
  const { isSoleConnection, isolation } = profileOf(table.type)
  if (isSoleConnection)
    return onSoleConnection(app, table.path, (runner, lock) =>
      transaction(runner, undefined, (manager) =>
        lock(manager).then(() => completed(place, manager, work)),
      ),
    )
  const runner = app.createQueryRunner()
  try {
    await transaction(runner, isolation, (manager) => completed(place, manager, work))
  } finally {
    await runner.release()
  }
}

/** The handler's writes and the outcome, on one connection. */
async function completed(
  { dataSource, dialect }: Place,
  manager: EntityManager,
  work: Work,
): Promise<void> {
  const outcome = await joining(dataSource, manager, work)
  const kept = await dialect.finish(Session.of(manager, dataSource), [finishRow(outcome)])
  if (!kept.has(outcome.key)) throw new LeaseLost()
}

async function transaction(
  runner: QueryRunner,
  isolation: Profile['isolation'],
  work: (manager: EntityManager) => Promise<void>,
): Promise<void> {
  await runner.startTransaction(isolation)
  try {
    await work(runner.manager)
    // TypeORM would commit the inner one only.
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

/** TypeORM rolls back one savepoint at a time. */
async function rollBackAll(runner: QueryRunner): Promise<void> {
  for (let isOutermost = !runner.isTransactionActive; !isOutermost;) {
    isOutermost = depthOf(runner) <= 1
    await runner.rollbackTransaction()
  }
}

/** The number of nested transactions; TypeORM has it in a private field only. */
function depthOf(runner: QueryRunner): number {
  return Number(Reflect.get(runner, 'transactionDepth'))
}
