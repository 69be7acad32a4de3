import { inTime } from '../../../lib/clock'
import type { Held, Lost } from '../../../lib/store'
import type { Session } from '../connections/session'
import type { Dialect } from '../dialects/dialect'

/** Lost rows whose present claim is looked up. */
const LOOKED_UP = 10
/** Time for that in ms: the renewal itself is done already. */
const LOOK_UP_MS = 500

/** Lost rows with the claims that they are at now. For the log only: what takes too long to look up is left out. */
export async function withPresentClaims(
  lost: readonly Held[],
  dialect: Dialect,
  session: Session,
): Promise<Lost[]> {
  const lookUps = lost
    .slice(0, LOOKED_UP)
    .map(async ({ key }) => Number((await dialect.byId(session, key))?.claims ?? 0))
  const found = await inTime(Promise.allSettled(lookUps), LOOK_UP_MS).catch(() => [])
  return lost.map((row, i) =>
    found[i]?.status === 'fulfilled' ? { ...row, claimsNow: found[i].value } : row,
  )
}
