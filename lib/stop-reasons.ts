import {
  LeaseLost,
  TaskCancelled,
  type TasksError,
  TimeLimitExceeded,
  WorkerStops,
} from './errors/errors'
import { isA } from './errors/error-record'

/** The stronger reason counts, whichever came first. */
const STRENGTH = [WorkerStops, TimeLimitExceeded, TaskCancelled, LeaseLost]

/** Whether a run ended because its worker told it to, and for no reason of its own. */
export function isDueToStop(cause: unknown, { reason }: AbortSignal): boolean {
  if (!(reason instanceof WorkerStops)) return false
  return (
    cause === reason ||
    (isA(cause, Error) && (cause.cause === reason || cause.name === 'AbortError'))
  )
}

/** How strong a reason to stop is; of two the stronger one counts. */
export function strengthOf(reason: TasksError): number {
  return STRENGTH.findIndex((kind) => reason instanceof kind)
}
