import { clock, OVER } from '../clock'

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
