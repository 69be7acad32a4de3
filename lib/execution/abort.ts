import { clock, OVER } from '../clock'
import { isA } from '../errors/error-record'
import type { TasksError } from '../errors/errors'
import { LeaseLost, TaskCancelled, TimeLimitExceeded, WorkerStops } from '../errors/run-errors'

/** A run that was told to stop has this long to end by itself. */
export const ABORT_GRACE = 1_000

/** What `run` comes to; or what `giveUp` says, if it has not ended a moment after its signal aborted. */
export async function inGrace<T>(
  run: Promise<T>,
  signal: AbortSignal,
  giveUp: () => T | Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const over = new Promise<T>((resolve) => {
    const wait = (): void =>
      void clock
        .sleep(ABORT_GRACE, done.signal)
        .then(() => done.signal.aborted || resolve(giveUp()))
    if (signal.aborted) wait()
    else signal.addEventListener('abort', wait, { once: true, signal: done.signal })
  })
  return Promise.race([run, over]).finally(() => done.abort(OVER))
}

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
