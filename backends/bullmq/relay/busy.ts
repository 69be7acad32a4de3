/** Whether something is under way, to wait for. It is at first. */
export class Busy {
  #end: (() => void) | undefined
  #promise: Promise<void> | undefined

  constructor() {
    this.begin()
  }

  get promise(): Promise<void> | undefined {
    return this.#promise
  }

  begin(): void {
    this.#promise ??= new Promise((resolve) => (this.#end = resolve))
  }

  end(): void {
    this.#promise = undefined
    this.#end?.()
  }
}
