import type { EntityManager } from 'typeorm'
import { InvalidTaskError, type Order, TaskBackend, type TaskResult } from '../../index'
import type { Outcome } from '../../lib/store'

/** A drain within a drain has savepoints of its own: MySQL and MariaDB forget one whose name is used again. */
let marks = 0

/** A backend as tasks see it that run in the transaction of a test. */
export class WithinTransaction extends TaskBackend {
  readonly #real: TaskBackend
  readonly #manager: EntityManager

  constructor(real: TaskBackend, manager: EntityManager) {
    super(real.alias, real.settings)
    this.#real = real
    this.#manager = manager
  }

  enqueue(order: Order): Promise<TaskResult<unknown>> {
    return this.#real.enqueue(order)
  }

  override getResult(id: string): Promise<TaskResult<unknown>> {
    return this.#real.getResult(id, this.#manager)
  }

  override cancel(result: TaskResult<unknown>): Promise<boolean | void> {
    return this.#real.cancel(result)
  }

  override isAway(error: unknown): boolean {
    return this.#real.isAway(error)
  }

  override completeInTransaction(
    work: (manager: EntityManager) => Promise<Outcome>,
  ): Promise<void> {
    return this.#real.completeInTransaction(work, this.#manager)
  }
}

/**
 * Calls `work` in a savepoint, which is left in any case; where a statement has failed PostgreSQL refuses all others of a
 * transaction, until it is taken back to such a point.
 *
 * @throws InvalidTaskError if `work` has ended the transaction.
 */
export async function inSavepoint<T>(
  manager: EntityManager,
  work: () => Promise<T>,
  taskName: string,
): Promise<T> {
  const mark = `typeorm_tasks_test_run_${++marks}`
  await manager.query(`SAVEPOINT ${mark}`)
  const done = await work()
  try {
    await manager.query(`RELEASE SAVEPOINT ${mark}`)
  } catch {
    await manager.query(`ROLLBACK TO SAVEPOINT ${mark}`).catch((cause: unknown) => {
      throw new InvalidTaskError(
        `Task "${taskName}" has ended the transaction of the test.`,
        'Let no task that is run by drain({ manager }) send COMMIT or ROLLBACK; on MySQL and MariaDB no CREATE, ALTER, DROP or TRUNCATE either.',
        { cause },
      )
    })
  }
  return done
}
