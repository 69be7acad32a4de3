/** npm passes on the Ctrl+C that the terminal has sent to its child already: within this time both are one. */
const TWICE_BY_NPM = 500

/** Tells the second Ctrl+C, which forces an end, from the first. */
export class Interrupts {
  #first: number | undefined

  /** Counts one. */
  isSecond(): boolean {
    const first = this.#first
    this.#first ??= performance.now()
    const underNpm = process.env['npm_lifecycle_event'] !== undefined && process.stdin.isTTY
    return first !== undefined && !(underNpm && performance.now() - first < TWICE_BY_NPM)
  }
}
