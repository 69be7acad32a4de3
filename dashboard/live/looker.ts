import { clock, inTime } from '../../lib/clock'

/** At least so many ms pass between two looks at one thing. */
const EACH_MS = 1_000
/** The longest time in ms between two looks, after several that failed. */
const SLOWEST_MS = 5_000
/** A look that takes longer has failed; in ms. */
const PATIENCE_MS = 10_000

/** What a look came to. */
export interface Sight {
  /** What is said of it. */
  readonly text: string
  /** Two with the same mark say the same. */
  readonly mark: string
  readonly isProblem: boolean
}

export interface Looking {
  /** What it gives, and who may see that: those of one key share their looks. */
  readonly key: string
  readonly look: () => Promise<Sight>
  readonly failed: (error: unknown) => Sight
}

type Listener = (text: string) => void

/** Looks at things again and again, as long as somebody listens: once for all of them. */
export class Looker {
  readonly #watched = new Map<string, Watched>()
  readonly #closed: AbortSignal

  constructor(closed: AbortSignal) {
    this.#closed = closed
  }

  /** Tells the listener what is seen, now and when it has changed. Gives what ends it. */
  watch(looking: Looking, listener: Listener): () => void {
    const known = this.#watched.get(looking.key)
    const watched = known ?? new Watched(looking, () => this.#watched.delete(looking.key))
    watched.add(listener)
    if (!known) {
      this.#watched.set(looking.key, watched)
      void watched.run(this.#closed)
    }
    return () => watched.remove(listener)
  }
}

class Watched {
  readonly #looking: Looking
  readonly #listeners = new Set<Listener>()
  readonly #ended: () => void
  #last: Sight | undefined

  /** `ended` is called as soon as it will look no more: whoever comes then needs another one. */
  constructor(looking: Looking, ended: () => void) {
    this.#looking = looking
    this.#ended = ended
  }

  add(listener: Listener): void {
    this.#listeners.add(listener)
    if (this.#last) listener(this.#last.text)
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** Sleeps before it sees that nobody listens: a page that is left and opened again causes no further look. */
  async run(closed: AbortSignal): Promise<void> {
    let failures = 0
    while (this.#listeners.size > 0 && !closed.aborted) {
      const startedAt = clock.now()
      const sight = await this.#look()
      failures = sight.isProblem ? failures + 1 : 0
      if (sight.mark !== this.#last?.mark) {
        this.#last = sight
        for (const listener of this.#listeners) listener(sight.text)
      }
      const took = clock.now() - startedAt
      // A database that is slow is asked for a fifth of the time, or each 5 s; never for more than half.
      const patient = Math.min(SLOWEST_MS, Math.max(4 * took, failures * EACH_MS))
      const pause = Math.max(EACH_MS - took, took, patient)
      await clock.sleep(pause, closed)
    }
    this.#ended()
  }

  async #look(): Promise<Sight> {
    try {
      return await inTime(this.#looking.look(), PATIENCE_MS)
    } catch (error) {
      return this.#looking.failed(error)
    }
  }
}
