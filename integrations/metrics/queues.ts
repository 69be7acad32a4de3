import { allBackends, NotSupportedError, type QueueState, type TaskBackend } from '../../index'

/** For how many ms one look serves all who ask: several metrics, and several that collect them. */
const FRESH_MS = 5_000
/** Time in ms that those who collect wait for a look: a database that does not answer must not keep other metrics from them. */
const LOOK_MS = 2_000

export interface BackendQueues {
  readonly backend: string
  readonly queues: readonly QueueState[]
}

type OnFault = (backend: string, error: unknown) => void

/** Looks at the queues of all backends that can be browsed. */
export class QueueLook {
  readonly #onFault: OnFault
  readonly #looks = new WeakMap<TaskBackend, BackendLook>()

  /** `onFault`: a backend could not be looked at. */
  constructor(onFault: OnFault) {
    this.#onFault = onFault
  }

  /** Takes 2 s at most, and never rejects: metrics of a queue must not keep those of the process from being collected. */
  async queues(): Promise<readonly BackendQueues[]> {
    const found = await Promise.all(allBackends().map((backend) => this.#lookOf(backend).queues()))
    return found.flat()
  }

  #lookOf(backend: TaskBackend): BackendLook {
    const look = this.#looks.get(backend) ?? new BackendLook(backend, this.#onFault)
    this.#looks.set(backend, look)
    return look
  }
}

class BackendLook {
  readonly #backend: TaskBackend
  readonly #onFault: OnFault
  #latest: Promise<readonly BackendQueues[]> = Promise.resolve([])
  #freshUntil = Number.NEGATIVE_INFINITY
  #isLooking = false

  constructor(backend: TaskBackend, onFault: OnFault) {
    this.#backend = backend
    this.#onFault = onFault
  }

  queues(): Promise<readonly BackendQueues[]> {
    const now = performance.now()
    // One that is late goes on alone: its connection ends it, by limits of its own.
    if (this.#isLooking || now < this.#freshUntil) return this.#latest
    this.#freshUntil = now + FRESH_MS
    this.#latest = this.#inTime(this.#look())
    return this.#latest
  }

  /** What it finds too late serves those who collect next. */
  #inTime(look: Promise<readonly BackendQueues[]>): Promise<readonly BackendQueues[]> {
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#onFault(this.#backend.alias, new LookTimeoutError())
        resolve([])
      }, LOOK_MS)
      late.unref()
      void look.then((found) => {
        clearTimeout(late)
        this.#latest = Promise.resolve(found)
        resolve(found)
      })
    })
  }

  async #look(): Promise<readonly BackendQueues[]> {
    this.#isLooking = true
    try {
      return await queuesOf(this.#backend)
    } catch (error) {
      this.#onFault(this.#backend.alias, error)
      // It may be there in a moment, as where the app has just begun to connect.
      this.#freshUntil = Number.NEGATIVE_INFINITY
      return []
    } finally {
      this.#isLooking = false
    }
  }
}

/** Its name is the value of a label. */
class LookTimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** On connections that are closed again: one that stays open keeps a process from ending. */
async function queuesOf(backend: TaskBackend): Promise<readonly BackendQueues[]> {
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
    throw error
  }
}
