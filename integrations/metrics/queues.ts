import { allBackends, NotSupportedError, type QueueState, type TaskBackend } from '../../index'

/** For how many ms one look serves all who ask: several metrics, and several that collect them. */
const FRESH_MS = 5_000

export interface BackendQueues {
  readonly backend: string
  readonly queues: readonly QueueState[]
}

/** Looks at the queues of all backends that can be browsed. */
export class QueueLook {
  readonly #onFault: (backend: string, error: unknown) => void
  #latest: Promise<readonly BackendQueues[]> = Promise.resolve([])
  #at = Number.NEGATIVE_INFINITY

  /** `onFault`: a backend could not be looked at. */
  constructor(onFault: (backend: string, error: unknown) => void) {
    this.#onFault = onFault
  }

  /** Never rejects: metrics of a queue must not keep those of the process from being collected. */
  queues(): Promise<readonly BackendQueues[]> {
    const now = performance.now()
    if (now - this.#at < FRESH_MS) return this.#latest
    this.#at = now
    const looks = Promise.all(allBackends().map((backend) => this.#look(backend)))
    this.#latest = looks.then((found) => found.flat())
    return this.#latest
  }

  /** On connections that are closed again: one that stays open keeps a process from ending. */
  async #look(backend: TaskBackend): Promise<BackendQueues[]> {
    try {
      const browser = await backend.openBrowser()
      try {
        return [{ backend: backend.alias, queues: await browser.queues() }]
      } finally {
        await browser.close()
      }
    } catch (error) {
      // Rows of the others are in their own process, where nobody waits.
      if (error instanceof NotSupportedError) return []
      this.#onFault(backend.alias, error)
      // It may be there in a moment, as where the app has just begun to connect.
      this.#at = Number.NEGATIVE_INFINITY
      return []
    }
  }
}
