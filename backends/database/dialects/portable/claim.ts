import { type EntityManager, LessThanOrEqual } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { NO_DELAY } from '../../../../entities/formats'
import { patiently } from '../../connections/session'
import type { Claim } from '../dialect'
import { update } from './entities'
import { afterClaim } from './rows'
import { inQueues, type Where } from './where'

/** The most looks of one claim: others may take rows between a look and the claim. */
const LOOKS = 10

/** Claims row by row. Returns the rows as the claim left them. */
export async function claimRows(manager: EntityManager, claim: Claim): Promise<DBTaskResult[]> {
  const taken: DBTaskResult[] = []
  for (let look = 0; look < LOOKS && taken.length < claim.limit; look++) {
    const candidates = await bestRows(manager, claim, claim.limit - taken.length)
    if (candidates.length === 0) break
    for (const entity of candidates) {
      const changes = afterClaim(entity, claim.workerId, claim.leaseSeconds)
      const { id, claims } = entity
      // Each is repeated by itself: to repeat the whole claim would lose the rows already claimed.
      if (await patiently(() => update(manager, { id, claims, status: 'READY' }, changes)))
        taken.push(Object.assign(entity, changes))
    }
  }
  return taken
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
