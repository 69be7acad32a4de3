import { type EntityManager, type FindOptionsWhere, In, IsNull, LessThan, LessThanOrEqual, MoreThan, Not } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { NO_DELAY } from '../../../entities/formats'
import { patiently } from '../contention'
import type { Claim, Dialect, HeldRow, Prunable, QueueWish } from '../dialect'
import type { RawRow } from '../row'
import type { Session } from '../session'
import type { Table } from '../table'
import { afterClaim, afterFinish, afterRelease, keyOf, newEntity, rawOf, stands } from './portable-rows'

type Where = FindOptionsWhere<DBTaskResult>
type Changes = Partial<DBTaskResult>

/** SQL Server takes 2,100 parameters in a statement, Oracle 1,000 values in a list. */
const INSERT_CHUNK = 50
const LIST_CHUNK = 500
/** Rows that others took between a look and the claim are made up for by further looks. */
const LOOKS = 10

/**
 * For every other database of TypeORM: no SQL of its own, so a look and then one conditional UPDATE per row, whose row
 * count decides. Slower than a dialect of its own, but no less exact.
 *
 * Instants are those of this process's clock, to the millisecond, since no query builder can ask databases for theirs
 * in a portable way: keep the clocks of enqueuers and workers within a fraction of the lease of each other.
 */
export function portable({ hexIds }: Table): Dialect {
  const key = (entity: DBTaskResult): string => keyOf(entity, hexIds)
  const raw = (entity: DBTaskResult): RawRow => rawOf(entity, hexIds)
  const found = async ({ manager }: Session, where: Where): Promise<RawRow | undefined> => {
    const entity = await manager.findOneBy(DBTaskResult, where)
    return entity ? raw(entity) : undefined
  }
  return {
    name: 'portable',
    maxStatement: 16 * 1024 * 1024,
    async insert(session, rows, unlessTaken) {
      const entities = rows.map((row) => newEntity(row, new Date()))
      await (unlessTaken ? insertUnlessTaken(session, entities) : insertAll(session, entities))
      return (await byKeys(session.manager, rows.map((row) => row.row_key))).map(raw)
    },
    byId: (session, id) => found(session, { id }),
    byUniqueKey: (session, uniqueKey) => found(session, { uniqueKey }),
    claim: async (session, claim) => (await claimRows(session.manager, claim)).map(raw),
    async finish({ manager }, rows) {
      const stored = new Map((await byKeys(manager, rows.map((row) => row.row_key))).map((entity) => [key(entity), entity]))
      const kept = new Set<string>()
      for (const row of rows) {
        const entity = stored.get(row.row_key)
        if (entity && (stands(entity, row) || (await update(manager, fence(row), afterFinish(entity, row))))) kept.add(row.row_key)
      }
      return kept
    },
    async renew({ manager }, rows, leaseSeconds) {
      const held: string[] = []
      for (const row of rows) {
        const progress = row.progress === null ? {} : { progress: JSON.parse(row.progress) as DBTaskResult['progress'] }
        if (await update(manager, fence(row), { leaseUntil: inSeconds(leaseSeconds), ...progress })) held.push(row.row_key)
      }
      return new Map((await byKeys(manager, held)).map((entity) => [key(entity), entity.cancelRequestedAt !== null]))
    },
    async release({ manager }, rows) {
      const claims = new Map(rows.map((row) => [row.row_key, row.claims]))
      let released = 0
      for (const entity of await byKeys(manager, [...claims.keys()])) {
        const row = { row_key: key(entity), claims: claims.get(key(entity)) ?? 0 }
        if (await update(manager, fence(row), afterRelease(entity))) released++
      }
      return released
    },
    expired: async ({ manager }, backendName, limit) => (await manager.find(DBTaskResult, { where: { backendName, status: 'RUNNING', leaseUntil: LessThan(new Date()) }, take: limit })).map(raw),
    async prunable({ manager }, wish, last, limit) {
      const where = prunable(wish).map((each) => (last === null ? each : { ...each, id: MoreThan(last) }))
      return (await manager.find(DBTaskResult, { select: { id: true }, where, order: { id: 'ASC' }, take: limit })).map(key)
    },
    countPrunable: ({ manager }, wish) => manager.count(DBTaskResult, { where: prunable(wish) }),
    deleteFinished: async ({ manager }, keys) => (await manager.delete(DBTaskResult, { id: In(keys), status: In(['SUCCESSFUL', 'FAILED']) })).affected ?? 0,
    async count({ manager }, backendName, wish) {
      const query = manager.createQueryBuilder(DBTaskResult, 't').select('t.status', 'status').addSelect('COUNT(*)', 'n')
      const records = await query.where({ backendName, ...inQueues(wish) }).groupBy('t.status').getRawMany<{ status: string; n: number | string }>()
      return Object.fromEntries(records.map(({ status, n }) => [status, Number(n)]))
    },
    requestCancel: async ({ manager }, id) => ((await update(manager, { id, status: 'RUNNING' }, { cancelRequestedAt: new Date() })) ? 1 : 0),
  }
}

async function claimRows(manager: EntityManager, claim: Claim): Promise<DBTaskResult[]> {
  const taken: DBTaskResult[] = []
  for (let look = 0; look < LOOKS && taken.length < claim.room; look++) {
    const candidates = await best(manager, claim, claim.room - taken.length)
    if (candidates.length === 0) break
    for (const entity of candidates) {
      const changes = afterClaim(entity, claim.wishes.workerId, inSeconds(claim.leaseSeconds))
      const { id, claims } = entity
      // Patience for each: to begin anew would leave those already taken to nobody.
      if (await patiently(() => update(manager, { id, claims, status: 'READY' }, changes))) taken.push(Object.assign(entity, changes))
    }
  }
  return taken
}

function best(manager: EntityManager, { wishes, backendName }: Claim, room: number): Promise<DBTaskResult[]> {
  const ready: Where = { status: 'READY', backendName, ...inQueues(wishes) }
  return manager.find(DBTaskResult, {
    where: [{ ...ready, runAfter: LessThanOrEqual(new Date()) }, { ...ready, runAfter: NO_DELAY }],
    order: { priority: 'DESC', runAfter: 'ASC', enqueuedAt: 'ASC' },
    take: room,
  })
}

async function insertAll(session: Session, entities: readonly Changes[]): Promise<void> {
  if (entities.length <= INSERT_CHUNK) return write(session.manager, entities)
  await session.joined(async ({ manager }) => {
    for (const chunk of chunked(entities, INSERT_CHUNK)) await write(manager, chunk)
  })
}

async function insertUnlessTaken({ manager }: Session, entities: readonly Changes[]): Promise<void> {
  for (const entity of entities) {
    const isTaken = async (): Promise<boolean> => typeof entity.uniqueKey === 'string' && (await manager.existsBy(DBTaskResult, { uniqueKey: entity.uniqueKey }))
    if (await isTaken()) continue
    try {
      await guarded(manager, (inside) => write(inside, [entity]))
    } catch (error) {
      if (!(await isTaken())) throw error
    }
  }
}

/** What fails in an open transaction would end it, save in a savepoint. */
function guarded(manager: EntityManager, work: (manager: EntityManager) => Promise<void>): Promise<void> {
  const { queryRunner } = manager
  return queryRunner?.isTransactionActive && queryRunner.connection.driver.transactionSupport === 'nested' ? manager.transaction(work) : work(manager)
}

async function write(manager: EntityManager, entities: readonly Changes[]): Promise<void> {
  await manager.createQueryBuilder().insert().into(DBTaskResult).values([...entities] as object[]).updateEntity(false).callListeners(false).execute()
}

/** Whether the row was as `where` says, and so was changed. */
async function update(manager: EntityManager, where: Where, changes: Changes): Promise<boolean> {
  const { affected } = await manager.createQueryBuilder().update(DBTaskResult).set(changes as object).where(where).updateEntity(false).callListeners(false).execute()
  return (affected ?? 0) > 0
}

async function byKeys(manager: EntityManager, keys: readonly string[]): Promise<DBTaskResult[]> {
  const found: DBTaskResult[] = []
  for (const chunk of chunked(keys, LIST_CHUNK)) found.push(...(await manager.findBy(DBTaskResult, { id: In(chunk) })))
  return found
}

function fence({ row_key, claims }: HeldRow): Where {
  return { id: row_key, claims, status: 'RUNNING', leaseUntil: Not(IsNull()) }
}

function prunable({ backendName, queues, minAge, failedMinAge }: Prunable): Where[] {
  const older = (status: DBTaskResult['status'], age: number): Where => ({ status, backendName, finishedAt: LessThanOrEqual(new Date(Date.now() - age)), ...inQueues({ queues, excludeQueues: [] }) })
  return [older('SUCCESSFUL', minAge), older('FAILED', failedMinAge)]
}

function inQueues({ queues, excludeQueues }: QueueWish): Where {
  if (queues !== null) return { queueName: In(queues) }
  return excludeQueues.length === 0 ? {} : { queueName: Not(In(excludeQueues)) }
}

function inSeconds(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000)
}

function chunked<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}
