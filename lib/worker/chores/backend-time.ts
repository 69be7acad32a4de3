import type { TaskBackend } from '../../backend'
import { clock, inTime } from '../../clock'
import { log } from '../../events/logger'

/** How long an answer may take, in ms. */
export const ANSWER_MS = 15_000
/** The time is asked anew after so many ms. */
const FRESH_MS = 10 * 60_000
/** And when this process's clock was set by so many ms, or the machine was suspended for so long. */
const JUMP_MS = 1_000
/** A difference of the clocks by so many ms is worth a line in the log. */
const WORTH_A_LINE_MS = 30_000

/** What the clocks said together. In ms: of the backend and of this process since 1970, and of the monotonic clock. */
interface Reading {
  readonly backend: number
  readonly process: number
  readonly steady: number
}

/**
 * The time of the backend, which says when rows are due, whatever the clock of this process shows: asked from time to time, and
 * counted on by the monotonic clock.
 */
export class BackendTime {
  readonly #backend: TaskBackend
  #reading: Reading | undefined
  #isFar = false

  constructor(backend: TaskBackend) {
    this.#backend = backend
  }

  /** In ms since 1970. Late by the time that the answer took, so that nothing is due too early. Only after a `refresh`. */
  get now(): number {
    const { backend, steady } = this.#reading ?? { backend: Number.NaN, steady: 0 }
    return backend + clock.now() - steady
  }

  /** Asks for the time unless it is known well enough. Rejects if the backend does not answer. */
  async refresh(): Promise<void> {
    if (this.#isFresh()) return
    const backend = (await inTime(this.#backend.now(), ANSWER_MS)).getTime()
    this.#reading = { backend, process: Date.now(), steady: clock.now() }
    this.#tell(Date.now() - backend)
  }

  #isFresh(): boolean {
    if (!this.#reading) return false
    const { process, steady } = this.#reading
    const passed = clock.now() - steady
    return passed < FRESH_MS && Math.abs(Date.now() - process - passed) < JUMP_MS
  }

  #tell(ahead: number): void {
    const isFar = Math.abs(ahead) > WORTH_A_LINE_MS
    if (isFar && !this.#isFar)
      log.warn(
        `The clock of this process is ${Math.round(Math.abs(ahead) / 1_000)} s ${ahead > 0 ? 'ahead of' : 'behind'} the database's: schedules go by the database's`,
      )
    this.#isFar = isFar
  }
}
