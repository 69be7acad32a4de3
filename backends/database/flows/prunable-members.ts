import { dashed, hexOf } from '../../../entities/formats'
import type { FlowRows } from '../dialects/flow-verbs'
import { partOf } from './settling'

/** The keys without those of members of a flow that somebody still waits for: what they have returned is needed. */
export async function withoutAwaited(
  rows: FlowRows,
  keys: readonly string[],
  hexIds: boolean,
): Promise<readonly string[]> {
  const members = await rows.memberOptions(keys)
  if (members.size === 0) return keys
  const followers = new Map<string, readonly string[]>()
  for (const [key, options] of members) {
    const { successful = [], failed = [], finished = [] } = partOf(options).member ?? {}
    const ids = [...successful, ...failed, ...finished]
    followers.set(key, ids.map(hexIds ? hexOf : dashed))
  }
  const named = new Set([...followers.values()].flat())
  if (named.size === 0) return keys
  const open = await rows.unfinished([...named])
  return keys.filter((key) => !followers.get(key)?.some((follower) => open.has(follower)))
}
