import { clock, OVER } from '../clock'
import { isA } from '../errors/error-record'
import type { TasksError } from '../errors/errors'
import { LeaseLost, TaskCancelled, TimeLimitExceeded, WorkerStops } from '../errors/run-errors'

/** Time in ms that a run has to end by itself after its signal aborted. */
export const ABORT_GRACE_MS = 1_000

/** Reasons to abort a run, the weakest first. Of two the stronger one counts, whichever came first. */
const REASONS = [WorkerStops, TimeLimitExceeded, TaskCancelled, LeaseLost]

/** What `run` resolves to; or what `giveUp` gives if `run` has not ended `graceMs` after its signal aborted. */
export async function inGrace<T>(
  run: Promise<T>,
  signal: AbortSignal,
  giveUp: () => T | Promise<T>,
  graceMs = ABORT_GRACE_MS,
): Promise<T> {
  const done = new AbortController()
  const over = new Promise<T>((resolve) => {
    const wait = (): void =>
      void clock.sleep(graceMs, done.signal).then(() => done.signal.aborted || resolve(giveUp()))
    if (signal.aborted) wait()
    else signal.addEventListener('abort', wait, { once: true, signal: done.signal })
  })
  return Promise.race([run, over]).finally(() => done.abort(OVER))
}

/** True if a run ended because its worker stops, and for no reason of its own. */
export function isDueToStop(cause: unknown, { reason }: AbortSignal): boolean {
  if (!(reason instanceof WorkerStops)) return false
  if (cause === reason) return true
  try {
    return isA(cause, Error) && (cause.cause === reason || cause.name === 'AbortError')
  } catch {
    // A getter of the app's own error threw.
    return false
  }
}

/** The rank of a reason to abort; of two the higher one counts. */
export function strengthOf(reason: TasksError): number {
  return REASONS.findIndex((kind) => reason instanceof kind)
}

/** Resolves when the signal aborts, or `noMore` does: then nothing listens any more. */
export function aborted(signal: AbortSignal, noMore?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || noMore?.aborted) return resolve()
    const end = (): void => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
    noMore?.addEventListener('abort', end, { once: true })
  })
}
