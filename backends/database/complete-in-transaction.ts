import type { EntityManager, QueryRunner } from 'typeorm'
import {
  DatabaseError,
  DatabaseUnreachableError,
  InvalidTaskError,
  NotSupportedError,
} from '../../lib/errors/errors'
import { DoNotRetry, LeaseLost, TaskCancelled } from '../../lib/errors/run-errors'
import type { Outcome } from '../../lib/store'
import { inTime, NoAnswer } from '../../lib/clock'
import { type Join, joinable } from './ambient-transaction'
import { isMarkGone } from './connections/database-errors'
import { discard, endStatement } from './connections/driver-connection'
import { depthOf } from './connections/savepoint'
import { Session } from './connections/session'
import { onSoleConnection } from './connections/sqlite-turns'
import { livesInMemory } from './connections/worker-data-source'
import type { Place } from './place'
import type { Profile } from './profiles/profile'
import { profileOf } from './profiles/profile-of'
import { finishRow } from './row'

type Work = (manager: EntityManager) => Promise<Outcome>

/** Time in ms for a rollback. When it is over, a statement of the task is still running on the connection. */
const ROLLBACK_MS = 1_000

/**
 * Runs `work` in a transaction of the app's DataSource, which commits together with the outcome it gives, or not at all.
 *
 * @param within A transaction in which this is a savepoint.
 * @throws LeaseLost if the row is no longer held, or was cancelled; what `work` throws. Then nothing is written.
 */
export async function completeInTransaction(
  place: Place,
  work: Work,
  within?: EntityManager,
): Promise<void> {
  const { dataSource: app } = place
  if (within)
    return joinable(app, (join) =>
      within.transaction(async (manager) =>
        assertStored(place, manager, await join(manager, work)),
      ),
    )
  // The worker's own claims would be part of the transaction, and be rolled back with it.
  if (livesInMemory(app))
    throw new NotSupportedError(
      'A database in memory has one connection, so a task cannot have a transaction of its own in it.',
      'Use a file, or leave `transactional` out.',
    )
  await joinable(app, (join) => transactionFor(place, { work, join }))
}

/** What happens in the transaction, and how it joins what the task enqueues. */
interface Joined {
  readonly work: Work
  readonly join: Join
}

async function transactionFor(place: Place, joined: Joined): Promise<void> {
  const { dataSource: app, table } = place
  const { isSoleConnection, isolation } = profileOf(table.type)
  if (isSoleConnection)
    return onSoleConnection(app, table.path, (runner, lock) =>
      transaction(runner, undefined, (manager) =>
        lock(manager).then(() => completed(place, manager, joined)),
      ),
    )
  const runner = app.createQueryRunner()
  try {
    await transaction(runner, isolation, (manager) => completed(place, manager, joined))
  } finally {
    await runner.release()
  }
}

/** The handler's writes and the outcome, on one connection. */
async function completed(
  place: Place,
  manager: EntityManager,
  { work, join }: Joined,
): Promise<void> {
  const { table } = place
  const { mark } = profileOf(table.type)
  if (mark) await manager.query(mark.set)
  const outcome = await join(manager, work)
  assertConnected(manager)
  assertNoneInside(manager)
  if (mark) await assertMarked(manager, mark.remove)
  assertConnected(manager)
  await assertStored(place, manager, outcome)
}

/** Stores the outcome. @throws LeaseLost if its claim does not hold the row any more. */
async function assertStored(
  { dataSource, dialect }: Place,
  manager: EntityManager,
  outcome: Outcome,
): Promise<void> {
  const session = Session.of(manager, dataSource)
  const kept = await dialect.finish(session, [finishRow(outcome)])
  if (kept.has(outcome.key)) return
  // Asked for in this transaction, by the task itself: the rollback forgets it.
  const row = await dialect.byId(session, outcome.key)
  if (row?.cancel_requested_at && Number(row.claims) === outcome.claims)
    throw new DoNotRetry('The task cancelled itself.', { cause: new TaskCancelled() })
  throw new LeaseLost()
}

/** TypeORM releases a runner whose connection was lost, and then refuses every statement with an error that does not say so. */
function assertConnected({ queryRunner }: EntityManager): void {
  if (queryRunner?.isReleased)
    throw new DatabaseUnreachableError(
      'The connection of the transaction was lost before the commit, so nothing of it is written.',
      'Look at the log of the database: it may end connections that are idle in a transaction.',
    )
}

/** TypeORM would commit the inner one only. */
function assertNoneInside({ queryRunner }: EntityManager): void {
  if (queryRunner && depthOf(queryRunner) > 1)
    throw new DatabaseError(
      'Another transaction was open on the connection when the task returned, so its own could not commit.',
      'Await every transaction that the task opens; on SQLite, let no other run beside it.',
    )
}

/** A transaction that has ended has lost its savepoint, also where another one was begun after it. */
async function assertMarked(manager: EntityManager, remove: string): Promise<void> {
  try {
    await manager.query(remove)
  } catch (error) {
    if (!isMarkGone(error)) throw error
    throw new InvalidTaskError(
      'The transaction of the task had ended before the task returned.',
      'Send no COMMIT and no ROLLBACK through `context.manager`; on MySQL and MariaDB no CREATE, ALTER, DROP or TRUNCATE either, since each of them commits. Throw an error to roll back.',
      { cause: error },
    )
  }
}

async function transaction(
  runner: QueryRunner,
  isolation: Profile['isolation'],
  work: (manager: EntityManager) => Promise<void>,
): Promise<void> {
  await runner.startTransaction(isolation)
  try {
    await work(runner.manager)
    assertConnected(runner.manager)
    await runner.commitTransaction()
  } catch (error) {
    await rolledBack(runner)
    throw error
  }
}

/**
 * Rolls back, in time: a run that was given up may have left a statement running, and with it all locks of the
 * transaction. Never throws: the task's own error counts.
 */
async function rolledBack(runner: QueryRunner): Promise<void> {
  try {
    await inTime(rollBackAll(runner), ROLLBACK_MS)
  } catch (error) {
    if (error instanceof NoAnswer) await endStatement(runner).catch(() => {})
    if (await discard(runner).catch(() => true)) return
    // The one connection of its DataSource stays, and the next transaction must not wait for the end of this one.
    await runner.query('ROLLBACK').catch(() => {})
    Reflect.set(runner, 'isTransactionActive', false)
    Reflect.set(runner, 'transactionDepth', 0)
  }
}

/** TypeORM rolls back one savepoint at a time. */
async function rollBackAll(runner: QueryRunner): Promise<void> {
  for (let isOutermost = !runner.isTransactionActive; !isOutermost;) {
    isOutermost = depthOf(runner) <= 1
    await runner.rollbackTransaction()
  }
}
