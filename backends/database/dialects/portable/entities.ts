import { type EntityManager, In } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { isTaken } from '../../connections/database-errors'
import { guarded } from '../../connections/savepoint'
import { patiently, type Session } from '../../connections/session'
import type { Where } from './where'

type Changes = Partial<DBTaskResult>

/** Rows of one INSERT: SQL Server takes 2,100 parameters in a statement. */
const INSERT_CHUNK = 50
/** Keys of one list: Oracle takes 1,000 values in it. */
const LIST_CHUNK = 500

/** More than fit one statement in a transaction. */
export async function insertAll(session: Session, entities: readonly Changes[]): Promise<void> {
  if (entities.length <= INSERT_CHUNK) return write(session.manager, entities)
  await session.joined(async ({ manager }) => {
    for (const chunk of chunked(entities, INSERT_CHUNK)) await write(manager, chunk)
  })
}

/** Unless its unique key is taken. Returns whether it was written. */
export async function insertUnlessTaken({ manager }: Session, entity: Changes): Promise<boolean> {
  const { id = '', uniqueKey } = entity
  const isHeld = (): Promise<boolean> =>
    manager.existsBy(DBTaskResult, { uniqueKey: uniqueKey ?? '' })
  if (await isHeld()) return false
  try {
    await guarded(manager, (inside) => write(inside, [entity]))
    return true
  } catch (error) {
    // The holder may have finished since.
    const wasHeld = isTaken(error) && !(await manager.existsBy(DBTaskResult, { id }))
    if (wasHeld || (await isHeld())) return false
    throw error
  }
}

async function write(manager: EntityManager, entities: readonly Changes[]): Promise<void> {
  await manager
    .createQueryBuilder()
    .insert()
    .into(DBTaskResult)
    .values([...entities] as object[])
    .updateEntity(false)
    .callListeners(false)
    .execute()
}

/**
 * As `updateOnce`, and tried again by itself while others are in its way: to repeat a verb would forget the rows that it has
 * changed by then. In a transaction nothing is, since that may have ended.
 */
export function update(manager: EntityManager, where: Where, changes: Changes): Promise<boolean> {
  const once = (): Promise<boolean> => updateOnce(manager, where, changes)
  return manager.queryRunner ? once() : patiently(once)
}

/** Changes the row if it is as `where` says. Returns whether it was. */
export async function updateOnce(
  manager: EntityManager,
  where: Where,
  changes: Changes,
): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(DBTaskResult)
    .set(changes as object)
    .where(where)
    .updateEntity(false)
    .callListeners(false)
    .execute()
  return (affected ?? 0) > 0
}

export async function byKeys(
  manager: EntityManager,
  keys: readonly string[],
): Promise<DBTaskResult[]> {
  const found: DBTaskResult[] = []
  for (const chunk of chunked(keys, LIST_CHUNK))
    found.push(...(await manager.findBy(DBTaskResult, { id: In(chunk) })))
  return found
}

function chunked<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  )
}
