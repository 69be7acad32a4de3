import { setMaxListeners } from 'node:events'
import { clock, OVER } from './clock'

/** There was no answer in time; whatever was asked may still happen. */
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
