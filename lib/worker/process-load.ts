import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** A timer of this period in ms measures the delay. What it measures includes the period itself. */
const PERIOD_MS = 100
const NS_PER_MS = 1e6
const BYTES_PER_MIB = 1024 * 1024

/** How busy the process is. */
export class ProcessLoad {
  #delay: IntervalHistogram | undefined

  start(): void {
    this.#delay = monitorEventLoopDelay({ resolution: PERIOD_MS })
    this.#delay.enable()
  }

  stop(): void {
    this.#delay?.disable()
  }

  /** The 99th percentile of the event loop's delay since the last call, in ms, and the memory in use, in MiB. */
  take(): { eventLoopDelayMs: number; rssMib: number } {
    const latestMs = (this.#delay?.percentile(99) ?? 0) / NS_PER_MS
    this.#delay?.reset()
    return {
      eventLoopDelayMs: Math.max(0, Math.round(latestMs - PERIOD_MS)),
      rssMib: Math.round(process.memoryUsage.rss() / BYTES_PER_MIB),
    }
  }
}
