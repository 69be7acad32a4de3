import { log } from '../../lib/events/logger'
import { isWatched, SIGNALS } from './self'

/** npm passes on the Ctrl+C that the terminal has sent to its child already: within this time both are one. */
const TWICE_BY_NPM = 500

/** How a worker process ends: in order when asked or when an error is loose, at once when asked by Ctrl+C again. */
export class Shutdown {
  #stop: (() => void) | undefined
  #leave: (() => Promise<void>) | undefined
  #isAsked = false
  #beingHeard: NodeJS.Signals | undefined
  readonly #interrupts = new Interrupts()
  #faults = 0

  constructor() {
    for (const signal of SIGNALS) keepListening(signal, () => this.#signalled(signal))
    keepListening('uncaughtException', (error) => this.#fault(error))
    if (isWatched())
      keepListening('disconnect', () => this.#ask('The process that watches over this one is gone'))
  }

  /** Whether an error was loose in this process. */
  get hasFaults(): boolean {
    return this.#faults > 0
  }

  /** From now on an end in order takes `stop`; before, there was nothing to finish. */
  whenAsked(stop: () => void): void {
    this.#stop = stop
  }

  /** What is tried, if only for a moment, before the process leaves at once. */
  whenForced(leave: () => Promise<void>): void {
    this.#leave = leave
  }

  #signalled(signal: NodeJS.Signals): void {
    // Who puts removed listeners back may put ours back twice.
    if (this.#beingHeard === signal) return
    this.#beingHeard = signal
    setImmediate(() => (this.#beingHeard = undefined))
    if (signal === 'SIGINT' && this.#interrupts.isSecond()) {
      log.warn('Received SIGINT again: leaving at once.')
      return void (this.#leave?.() ?? Promise.resolve()).finally(() => process.exit(130))
    }
    this.#ask(`Received ${signal}`, ' (press Ctrl+C again to force)')
  }

  #ask(why: string, hint = ''): void {
    if (this.#isAsked) return
    this.#isAsked = true
    log.warn(`${why} - shutting down gracefully...${hint}`)
    if (this.#stop) this.#stop()
    else process.exit(this.#faults > 0 ? 1 : 0)
  }

  /** A stray timer or promise of some task; which one is not known, so all of them may be in a bad state. */
  #fault(error: unknown): void {
    this.#faults++
    log.error(
      `An error that nothing caught: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    )
    if (error instanceof Error && error.stack !== undefined) log.debug(error.stack)
    this.#ask('The process may be in a bad state')
  }
}

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

/** Also when a task removes everybody's listeners. */
function keepListening(name: string, listener: (value: unknown) => void): void {
  const events: NodeJS.EventEmitter = process
  const putBack = (gone: string, removed: unknown): void => {
    if (gone !== name || removed !== listener) return
    queueMicrotask(() => {
      if (!events.listeners(name).includes(listener)) events.on(name, listener)
      // What watches for removals may have been removed as well.
      if (!events.listeners('removeListener').includes(putBack))
        events.on('removeListener', putBack)
    })
  }
  events.on(name, listener).on('removeListener', putBack)
}
