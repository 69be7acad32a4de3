import { AsyncLocalStorage } from 'node:async_hooks'
import type { DataSource, EntityManager } from 'typeorm'
import { InvalidTaskError } from '../../lib/errors/errors'
import { assertReady } from './table'

const ambient = new AsyncLocalStorage<ReadonlyMap<DataSource, EntityManager>>()

/**
 * Runs `work` in a transaction that every enqueue within it joins, at any depth of calls.
 * Within another `atomic` of the same DataSource it is a savepoint.
 *
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity.
 */
export async function atomic<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  assertReady(dataSource)
  const manager = ambient.getStore()?.get(dataSource) ?? dataSource.manager
  return manager.transaction((inner) => joining(dataSource, inner, work))
}

/** Runs `work` so that every enqueue within it joins the transaction of `manager`. */
export function joining<T>(
  dataSource: DataSource,
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return ambient.run(new Map([...(ambient.getStore() ?? []), [dataSource, manager]]), () =>
    work(manager),
  )
}

/**
 * The manager whose transaction a statement joins: the given one, that of `atomic`, else `dataSource.manager`, which
 * libraries such as typeorm-transactional replace by the manager of their own transaction.
 *
 * @throws InvalidTaskError if the manager belongs to another DataSource.
 */
export function managerFor(
  dataSource: DataSource,
  explicit: EntityManager | undefined,
): EntityManager {
  if (explicit && explicit.connection !== dataSource)
    throw new InvalidTaskError(
      'The manager belongs to another DataSource than the one of TASKS.',
      'Pass the manager that `transaction(…)` of that DataSource gives.',
    )
  return explicit ?? ambient.getStore()?.get(dataSource) ?? dataSource.manager
}
