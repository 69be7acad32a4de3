/** Time in ms for which what is still asked of a backend that is out of TASKS, such as a page that polls, finds its connection open. */
const LINGER_MS = 2_000

/** Closes the connection of a backend that is out of TASKS, when nothing is asked of it any more; what is asked later opens it again. */
export class Idle {
  readonly #close: () => void
  #asked = 0
  #isRetired = false
  #timer: NodeJS.Timeout | undefined

  constructor(close: () => void) {
    this.#close = close
  }

  retire(): void {
    this.#isRetired = true
    this.touch()
  }

  /** Something is asked of it, until `end`. */
  begin(): void {
    this.#asked += 1
  }

  end(): void {
    this.#asked -= 1
    this.touch()
  }

  /** Somebody uses it now. */
  touch(): void {
    if (!this.#isRetired) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (this.#asked === 0) this.#close()
    }, LINGER_MS).unref()
  }
}
