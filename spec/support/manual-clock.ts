import { type Clock, setClock } from '#clock'

/** A clock that stands still until a spec moves it. */
export class ManualClock implements Clock {
  #time = 0
  #sleepers: Sleeper[] = []

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
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { until: this.#time + ms, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  /** How many sleep: with the real clock, each of them keeps the process. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  /** Lets `ms` milliseconds pass and wakes whoever slept until then, one after the other. */
  async advance(ms: number): Promise<void> {
    await settled()
    const end = this.#time + ms
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.#time = next.until
      next.wake()
      await settled()
    }
    this.#time = end
  }

  /** Lets `ms` milliseconds pass as for a process that stands still: whoever slept wakes afterwards, all at once, the last first. */
  async leap(ms: number): Promise<void> {
    await settled()
    this.#time += ms
    for (const { wake } of this.#sleepers
      .filter(({ until }) => until <= this.#time)
      .toSorted((a, b) => b.until - a.until))
      wake()
    await settled()
  }

  #nextUntil(end: number): Sleeper | undefined {
    return this.#sleepers
      .filter(({ until }) => until <= end)
      .toSorted((a, b) => a.until - b.until)[0]
  }
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** Resolves when all that could go on without time passing has done so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
