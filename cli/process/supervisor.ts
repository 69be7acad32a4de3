import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { isWatched, SIGNALS } from './self'
import { Interrupts } from './shutdown'
import { WorkerPlace, type PlaceWish } from './supervised-worker'

/** So long after a second Ctrl+C a worker may still be there; one that computes cannot hear it. */
const FORCED_GRACE = 2_000

/**
 * Runs this same command in so many child processes, and a new one in the place of each that dies; gives the highest
 * exit code of those that were there in the end.
 */
export async function superviseProcesses(wish: PlaceWish): Promise<number> {
  const [first, ...others] = Array.from(
    { length: wish.processes },
    (_, at) => new WorkerPlace(wish, at + 1),
  )
  const places = first ? [first, ...others] : []
  const fleet = new Fleet(places)
  // The others wait until the first is at work, so that a mistake in the settings is told once and ends all.
  const codes = await Promise.all(
    places.map(async (place) =>
      place === first || (await first?.isProven) ? place.keep(fleet.stopping) : 0,
    ),
  )
  return fleet.isForced ? 130 : Math.max(...codes)
}

/** All workers of one supervisor, as signals see them. */
class Fleet {
  readonly #places: readonly WorkerPlace[]
  readonly #stopping = new AbortController()
  readonly #interrupts = new Interrupts()
  isForced = false

  constructor(places: readonly WorkerPlace[]) {
    this.#places = places
    for (const signal of SIGNALS) process.on(signal, () => this.#stop(signal, `Received ${signal}`))
    if (isWatched())
      process.on('disconnect', () =>
        this.#stop('SIGTERM', 'The process that watches over this one is gone'),
      )
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  #stop(signal: NodeJS.Signals, why: string): void {
    if (!this.stopping.aborted) log.warn(`${why}: stopping all workers`)
    this.#stopping.abort()
    this.#tell(signal)
    if (signal === 'SIGINT' && this.#interrupts.isSecond()) void this.#force()
  }

  async #force(): Promise<void> {
    this.isForced = true
    await clock.sleep(FORCED_GRACE)
    this.#tell('SIGKILL')
  }

  #tell(signal: NodeJS.Signals): void {
    for (const place of this.#places) place.tell(signal)
  }
}
