import type { Redis } from 'ioredis'
import { type Client, isClusterClient } from './client-of-app'

/** For how long the process stays alive after the last answer. */
const LEAVES_AFTER_MS = 20

/**
 * Keeps the process alive by a connection only while something is asked of it: a program that has enqueued its tasks, and has
 * nothing else to do, ends by itself. Workers are kept alive by their loop. Not for a client of the app, which is the app's.
 */
export class StaysUp {
  readonly #client: Client
  #asked = 0
  #isUp = false
  #isAboutToLeave = false
  #ended: (() => void) | undefined

  constructor(client: Client) {
    this.#client = client
    const settle = (): void => this.#settle()
    for (const event of ['connect', 'ready', 'reconnecting', '+node']) client.on(event, settle)
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#asked += 1
    if (!this.#isUp) this.#settle()
    try {
      return await work()
    } finally {
      this.#asked -= 1
      if (this.#asked === 0) {
        this.#ended?.()
        this.#leaveSoon()
      }
    }
  }

  /** Resolves when nothing is asked any more, or after `ms` milliseconds. */
  async ended(ms: number): Promise<void> {
    if (this.#asked === 0) return
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, ms)
      this.#ended = () => {
        clearTimeout(patience)
        resolve()
      }
    })
  }

  /** Not at once: who awaits each of many calls would pay for it with each. */
  #leaveSoon(): void {
    if (this.#isAboutToLeave) return
    this.#isAboutToLeave = true
    const leave = (): void => {
      this.#isAboutToLeave = false
      if (this.#asked === 0) this.#settle()
    }
    setTimeout(leave, LEAVES_AFTER_MS).unref()
  }

  #settle(): void {
    const client = this.#client
    this.#isUp = this.#asked > 0
    const nodes = isClusterClient(client) ? client.nodes() : [client]
    for (const each of nodes.flatMap(handlesOf)) {
      if (this.#isUp) each.ref()
      else each.unref()
    }
  }
}

interface Handle {
  ref(): unknown
  unref(): unknown
}

/** Its socket, and the timer of its next try to connect. Before its first try it has none. */
function handlesOf(redis: Redis): Handle[] {
  const found: unknown[] = [redis.stream, Reflect.get(redis, 'reconnectTimeout')]
  return found.filter(isHandle)
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'ref' in value && 'unref' in value
}
