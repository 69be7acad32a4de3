import { type EntityManager, LessThanOrEqual } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { NO_DELAY } from '../../../../entities/formats'
import type { Claim } from '../dialect'
import { updateOnce } from './entities'
import { afterClaim } from './rows'
import { inQueues, type Where } from './where'

/** The most looks of one claim: others may take rows between a look and the claim. */
const LOOKS = 10

/** Claims row by row. Returns the rows as the claim left them. */
export async function claimRows(manager: EntityManager, claim: Claim): Promise<DBTaskResult[]> {
  const taken: DBTaskResult[] = []
  try {
    await claimInto(taken, manager, claim)
  } catch (error) {
    // What is claimed by then must run, and soon, before its lease ends: a claim that is made again would not find it.
    if (taken.length === 0) throw error
  }
  return taken
}

async function claimInto(
  taken: DBTaskResult[],
  manager: EntityManager,
  claim: Claim,
): Promise<void> {
  for (let look = 0; look < LOOKS && taken.length < claim.limit; look++) {
    const candidates = await bestRows(manager, claim, claim.limit - taken.length)
    if (candidates.length === 0) break
    for (const entity of candidates) {
      const changes = afterClaim(entity, claim.workerId, claim.leaseSeconds)
      const { id, claims } = entity
      if (await updateOnce(manager, { id, claims, status: 'READY' }, changes))
        taken.push(Object.assign(entity, changes))
    }
  }
}

function bestRows(
  manager: EntityManager,
  { filter, backendName }: Claim,
  limit: number,
): Promise<DBTaskResult[]> {
  const ready: Where = { status: 'READY', backendName, ...inQueues(filter) }
  return manager.find(DBTaskResult, {
    where: [
      { ...ready, runAfter: LessThanOrEqual(new Date()) },
      { ...ready, runAfter: NO_DELAY },
    ],
    order: { priority: 'DESC', runAfter: 'ASC', enqueuedAt: 'ASC' },
    take: limit,
  })
}
