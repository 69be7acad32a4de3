import { clock, OVER } from '../../clock'

/** For so many leases it stays open after something that may have left rows behind, and after its start. */
const OPEN_LEASES = 2

/**
 * Says when to look for rows of lost workers, where workers have records: while the record of one has expired. Rows are also
 * left behind by a worker that lives, when the answer to a claim or a release was lost, for instance. Then that worker looks.
 */
export class RescueGate {
  readonly #leaseMs: number
  /** In ms of the monotonic clock, as the next one. */
  #openUntil: number
  #doubtUntil = Number.NEGATIVE_INFINITY
  #wake = (): void => {}

  /** Open at first: a worker without a record may have been lost just before. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs
    this.#openUntil = clock.now() + OPEN_LEASES * leaseMs
  }

  /** The record of a worker has expired, or it is not known whether one has: open for `ms` milliseconds from now. */
  open(ms = OPEN_LEASES * this.#leaseMs): void {
    this.#openUntil = Math.max(this.#openUntil, clock.now() + ms)
    this.#wake()
  }

  /** This worker may have left rows RUNNING. Open until their leases have ended and somebody has looked since. */
  doubt(): void {
    this.#doubtUntil = clock.now() + OPEN_LEASES * this.#leaseMs
    this.open()
  }

  /** Rows that this worker has left RUNNING may still have a lease. */
  get hasDoubts(): boolean {
    return clock.now() < this.#doubtUntil
  }

  /** Resolves when it is open, at the latest after `ms` milliseconds, or when `signal` aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (clock.now() < this.#openUntil || signal.aborted) return
    const woken = new AbortController()
    this.#wake = () => woken.abort(OVER)
    signal.addEventListener('abort', this.#wake, { once: true })
    await clock.sleep(ms, woken.signal)
    signal.removeEventListener('abort', this.#wake)
    this.#wake = () => {}
  }
}
