import { LeaseLost, TaskCancelled, type TasksError, TimeLimitExceeded, WorkerStops } from './errors'
import { isA } from './failure'
import type { Verdict } from './run'

/** The stronger reason counts, whichever came first. */
const STRENGTH = [WorkerStops, TimeLimitExceeded, TaskCancelled, LeaseLost]

/** Whether a run ended because its worker told it to, and for no reason of its own. */
export function isDueTo(reason: WorkerStops, verdict: Verdict): boolean {
  if (verdict.status === 'SUCCESSFUL') return false
  const { cause } = verdict
  return cause === reason || (isA(cause, Error) && (cause.cause === reason || cause.name === 'AbortError'))
}

/** How strong a reason to stop is; of two the stronger one counts. */
export function strengthOf(reason: TasksError): number {
  return STRENGTH.findIndex((kind) => reason instanceof kind)
}
