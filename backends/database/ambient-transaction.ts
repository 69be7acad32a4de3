import { AsyncLocalStorage } from 'node:async_hooks'
import type { DataSource, EntityManager } from 'typeorm'
import { onePerProcess } from '../../lib/copies/one-per-process'
import { InvalidTaskError } from '../../lib/errors/errors'
import {
  type Database,
  databaseOf,
  databases,
  haveSameTable,
  replacedManager,
  shownTable,
} from './connections/same-database'
import { assertReady } from './table'

/** A transaction of `atomic` or of a transactional task, as the code within it sees it, which may outlive it. */
interface Ambient {
  readonly manager: EntityManager
  /** That of the transaction around this one. */
  readonly outer: Ambient | undefined
  end?: 'committed' | 'rolled back'
}

const ambient = onePerProcess(
  'transactions',
  () => new AsyncLocalStorage<ReadonlyMap<Database, Ambient>>(),
)

/**
 * Runs `work` in a transaction that every enqueue within it joins, at any depth of calls.
 * Within another `atomic` of the same DataSource it is a savepoint.
 *
 * Code that goes on after the end of the transaction enqueues outside of it if it was committed; if it was rolled back, the
 * enqueue throws InvalidTaskError.
 *
 * @throws DataSourceError if the DataSource is not initialised, or does not have the entity.
 */
export async function atomic<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  assertReady(dataSource)
  const around = ambientManager(dataSource)
  // The manager of another DataSource may not know the entities of this one.
  const manager = around?.connection === dataSource ? around : dataSource.manager
  return joinable(dataSource, (join) => manager.transaction((inner) => join(inner, work)))
}

/** Runs `work` so that every enqueue within it joins the transaction of `manager`. */
export type Join = <T>(
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<T>,
) => Promise<T>

/**
 * Runs `transaction`, which begins one, calls `join` in it, and resolves when it is committed. If it rejects, the
 * transaction was rolled back.
 */
export async function joinable<T>(
  dataSource: DataSource,
  transaction: (join: Join) => Promise<T>,
): Promise<T> {
  let mine: Ambient | undefined
  const join: Join = (manager, work) => {
    const around = ambient.getStore()
    const database = databaseOf(dataSource)
    mine = { manager, outer: around?.get(database) }
    return ambient.run(new Map([...(around ?? []), [database, mine]]), () => work(manager))
  }
  const end = (how: 'committed' | 'rolled back'): void => void (mine && (mine.end = how))
  try {
    const result = await transaction(join)
    end('committed')
    return result
  } catch (error) {
    end('rolled back')
    throw error
  }
}

/**
 * The manager whose transaction a statement joins: the given one, that of `atomic`, else `dataSource.manager`, which
 * libraries such as typeorm-transactional replace by the manager of their own transaction. All may be of another DataSource
 * onto the same table.
 *
 * @throws InvalidTaskError if the manager is of another database or table, or its transaction is over.
 */
export function managerFor(
  dataSource: DataSource,
  explicit: EntityManager | undefined,
): EntityManager {
  return explicit
    ? assertAlive(dataSource, explicit)
    : (ambientManager(dataSource) ?? replacedBeside(dataSource) ?? dataSource.manager)
}

function replacedBeside(dataSource: DataSource): EntityManager | undefined {
  return databases.hasTwins ? replacedManager(dataSource) : undefined
}

/** The manager of the innermost transaction that is not over; undefined outside of any. */
function ambientManager(dataSource: DataSource): EntityManager | undefined {
  const found = innermost(dataSource)
  if (found?.end === 'rolled back')
    throw new InvalidTaskError(
      'The transaction of `atomic`, or of the task, in which this was to happen has been rolled back.',
      'Await everything that is enqueued within it.',
    )
  // Not active any more, and its end not known yet: a subscriber of TypeORM that is called after a commit or a rollback.
  return found?.manager.queryRunner?.isTransactionActive ? found.manager : undefined
}

function innermost(dataSource: DataSource): Ambient | undefined {
  let found = ambient.getStore()?.get(databaseOf(dataSource))
  while (found?.end === 'committed') found = found.outer
  return found && haveSameTable(found.manager.connection, dataSource) ? found : undefined
}

function assertAlive(dataSource: DataSource, manager: EntityManager): EntityManager {
  if (!haveSameTable(manager.connection, dataSource))
    throw new InvalidTaskError(
      `The manager belongs to another DataSource than the one of TASKS. It is onto ${shownTable(manager.connection)}; TASKS has ${shownTable(dataSource)}.`,
      'Pass the manager that `transaction(…)` of that DataSource gives.',
    )
  if (manager.queryRunner?.isReleased)
    throw new InvalidTaskError(
      'The transaction of the manager is over.',
      'Await every enqueue within the transaction, or enqueue without its manager.',
    )
  return manager
}
