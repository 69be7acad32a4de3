import { setMaxListeners } from 'node:events'
import { OneClass } from './copies/one-per-process'

/** The time the library goes by: intervals only. Instants that are stored come from the database's clock. */
export interface Clock {
  /** Milliseconds on a monotonic scale of no particular origin. */
  now(): number
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Ends a sleep that nobody needs any more. Without a reason of its own `abort` makes an error, with a stack, each time. */
export const OVER = 'over'

const realClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}

let current = realClock

export const clock: Clock = {
  now: () => current.now(),
  sleep: (ms, signal) => current.sleep(ms, signal),
}

/** Puts another clock in place, for specs that move time by hand; without an argument the real one again. */
export function setClock(replacement: Clock = realClock): void {
  current = replacement
}

/** There was no answer in time; whatever was asked may still happen. */
@OneClass('NoAnswer')
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'

  constructor(ms: number) {
    super(`no answer within ${Math.round(ms)} ms`)
  }
}

/** What comes of `work`, unless that takes longer than `ms`. @throws NoAnswer */
export async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) throw new NoAnswer(ms)
    return work
  })
  return Promise.race([work, late]).finally(() => done.abort(OVER))
}

/** The signal itself. Node warns of a leak from the eleventh listener on, which many parts of one work may well be. */
export function sharedByMany(signal: AbortSignal): AbortSignal {
  // An AbortSignal of another make has no such limit, and would be refused here.
  if (signal instanceof EventTarget) setMaxListeners(0, signal)
  return signal
}

/** Measures how long something takes. */
export class Stopwatch {
  #startedAt: number | undefined
  #endedAt: number | undefined

  start(): void {
    this.#startedAt = clock.now()
  }

  /** Only the first call counts. */
  stop(): void {
    this.#endedAt ??= clock.now()
  }

  /** Milliseconds from start to stop, or until now; undefined if it was not started. */
  get ms(): number | undefined {
    if (this.#startedAt === undefined) return undefined
    return (this.#endedAt ?? clock.now()) - this.#startedAt
  }
}
