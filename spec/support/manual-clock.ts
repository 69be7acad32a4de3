import { type Clock, setClock } from '../../lib/clock'

/** A clock that stands still until a spec moves it. */
export class ManualClock implements Clock {
  #time = 0
  #sleepers: { until: number; wake: () => void }[] = []

  /** Puts it in the place of the real clock; `setClock()` takes it away again. */
  static install(): ManualClock {
    const clock = new ManualClock()
    setClock(clock)
    return clock
  }

  now(): number {
    return this.#time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted || ms <= 0) return resolve()
      const sleeper = { until: this.#time + ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => this.#wake(sleeper), { once: true })
    })
  }

  /** How many sleep, for specs that wait until somebody does. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  /** Lets `ms` milliseconds pass and wakes whoever slept until then, one after the other. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.#time = next.until
      this.#wake(next)
      await settled()
    }
    this.#time = end
    await settled()
  }

  #nextUntil(end: number): { until: number; wake: () => void } | undefined {
    return this.#sleepers.filter(({ until }) => until <= end).toSorted((a, b) => a.until - b.until)[0]
  }

  #wake(sleeper: { wake: () => void }): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
    sleeper.wake()
  }
}

/** Resolves when all that could go on without time passing has done so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
