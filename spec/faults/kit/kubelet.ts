import { setTimeout as sleep } from 'node:timers/promises'
import type { Prober } from '../../support/probing'

/** Looks at a worker as the one of Kubernetes does: each `period`, and so many failures in a row are a verdict. */
export class Kubelet {
  /** How often it would have started the worker again. */
  restarts = 0
  isReady = false
  /** The longest series of failures of liveness. */
  mostFailures = 0
  readonly #prober: Prober
  readonly #watching: Promise<void>
  #failures = 0
  #isOver = false

  constructor(prober: Prober, { period = 1_000, failures = 3 } = {}) {
    this.#prober = prober
    this.#watching = this.#watch(period, failures)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#watching
  }

  async #watch(period: number, failures: number): Promise<void> {
    while (!this.#isOver) {
      const [live, ready] = await this.#prober.all()
      this.isReady = ready === 200
      this.#failures = live === 200 ? 0 : this.#failures + 1
      this.mostFailures = Math.max(this.mostFailures, this.#failures)
      if (this.#failures === failures) this.restarts++
      await sleep(period)
    }
  }
}
