import { MalformedRowError } from '../errors/errors'
import { MaxAgeExceeded } from '../errors/run-errors'
import { checkPolicy, DEFAULT_POLICY, overridden, type Policy } from '../tasks/run-policy'
import type { ResultValues } from '../record'
import type { ClaimedRow } from '../store'
import type { Task } from '../tasks/task'

/**
 * What holds for the run of a row; `task` is undefined where this process does not know it.
 *
 * @throws MalformedRowError, and InvalidTaskError for what the row overrides, as the definition of a task would.
 */
export function policyFor(
  { malformed, options, values }: ClaimedRow,
  task: Task<unknown[], unknown> | undefined,
): Policy {
  if (malformed !== null) throw new MalformedRowError(malformed)
  const { policy } = task ?? { policy: DEFAULT_POLICY }
  const changed = overridden(policy, options)
  if (changed !== policy) checkPolicy(values.taskName, changed)
  return changed
}

/**
 * Both instants are the database's: when the row was claimed, and since when it was due; then it has `waited` for its turn here.
 *
 * @throws MaxAgeExceeded
 */
export function assertYoung(
  { startedAt, enqueuedAt, runAfter }: ResultValues,
  { maxAge }: Policy,
  waited: number,
): void {
  if (maxAge === null || startedAt === null || enqueuedAt === null) return
  const age =
    waited + startedAt.getTime() - Math.max(enqueuedAt.getTime(), runAfter?.getTime() ?? 0)
  if (age > maxAge) throw new MaxAgeExceeded(age, maxAge)
}
