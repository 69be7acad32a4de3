import type { EntityManager } from 'typeorm'
import { DBTaskWorker } from '../../../../entities/db-task-worker.entity'
import { isTaken } from '../../connections/database-errors'
import type { Session } from '../../connections/session'
import {
  type ExpiredRecords,
  OUTDATED_LEASES,
  type RecordValues,
  type WorkerRecords,
} from '../worker-records'

/** By TypeORM's query builder and the clock of this process, as the rest of this dialect. */
export class PortableWorkers implements WorkerRecords {
  async beat({ manager }: Session, values: RecordValues): Promise<ExpiredRecords> {
    const { id, running, eventLoopDelayMs, rssMib } = values
    const renewed = { running, eventLoopDelayMs, rssMib, seenAt: new Date() }
    const isThere = await renew(manager, id, renewed)
    // Where two heartbeats overlap, the other one has written it.
    if (!isThere)
      await insert(manager, values).catch((error: unknown) => {
        if (!isTaken(error)) throw error
      })
    const others = (await expired(manager)).filter(
      (other) => other.backend === values.backend && other.id !== id,
    )
    return { expired: others.length, outdated: others.filter(isOutdated).length }
  }

  async leave({ manager }: Session, id: string): Promise<void> {
    await manager.delete(DBTaskWorker, { id })
  }

  async forget({ manager }: Session, backend: string): Promise<void> {
    const outdated = (await expired(manager)).filter((other) => isOutdated(other))
    for (const { id, seenAt } of outdated.filter((other) => other.backend === backend))
      await manager.delete(DBTaskWorker, { id, seenAt })
  }

  async ages({ manager }: Session): Promise<ReadonlyMap<string, number>> {
    const records = await manager.find(DBTaskWorker)
    return new Map(records.map((record) => [record.id, agoMsOf(record)]))
  }
}

async function renew(
  manager: EntityManager,
  id: string,
  changes: Partial<DBTaskWorker>,
): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(DBTaskWorker)
    .set(changes)
    .where({ id })
    .updateEntity(false)
    .callListeners(false)
    .execute()
  return (affected ?? 0) > 0
}

async function insert(
  manager: EntityManager,
  { upMs, queues, ...values }: RecordValues,
): Promise<void> {
  const seenAt = new Date()
  await manager
    .createQueryBuilder()
    .insert()
    .into(DBTaskWorker)
    .values({
      ...values,
      queues: JSON.parse(queues) as string[],
      startedAt: new Date(seenAt.getTime() - upMs),
      seenAt,
    })
    .updateEntity(false)
    .callListeners(false)
    .execute()
}

/** There are few records: one for each worker. */
async function expired(manager: EntityManager): Promise<DBTaskWorker[]> {
  return (await manager.find(DBTaskWorker)).filter((record) => isOlder(record, 1))
}

function isOutdated(record: DBTaskWorker): boolean {
  return isOlder(record, OUTDATED_LEASES)
}

function isOlder(record: DBTaskWorker, leases: number): boolean {
  return agoMsOf(record) > leases * record.leaseMs
}

function agoMsOf({ seenAt }: DBTaskWorker): number {
  return Date.now() - seenAt.getTime()
}
