import { briefly, isA, nameAndMessage, recordOf } from '../../lib/errors/error-record'
import { log } from '../../lib/events/logger'
import { AppSignals } from './app-signals'
import { isSupervised, WORKER_SIGNALS } from './self'
import { finished } from '../unfinished'

/** Time in ms within which two SIGINTs count as one: npm passes on a Ctrl+C that the terminal already sent to its child. */
const NPM_REPEAT_MS = 500

/** Ends a worker process: gracefully on a signal or an uncaught error, immediately on a second Ctrl+C. */
export class Shutdown {
  #stop: (() => void) | undefined
  #abandon: (() => Promise<unknown>) | undefined
  #isStopping = false
  #handling: NodeJS.Signals | undefined
  readonly #interrupts = new Interrupts()
  #faults = 0

  readonly #appSignals: AppSignals

  constructor() {
    this.#appSignals = new AppSignals((signal) => this.#signalled(signal))
    for (const signal of WORKER_SIGNALS) {
      const listener = (): void => {
        if (!this.#appSignals.isForApp(signal)) this.#signalled(signal)
      }
      this.#appSignals.own(listener)
      keepListening(signal, listener)
    }
    keepListening('uncaughtException', (error) => this.#fault(error))
    if (isSupervised())
      keepListening('disconnect', () => this.#shutDown('The supervisor process is gone'))
  }

  /** True after an uncaught error in this process. */
  get hasFaults(): boolean {
    return this.#faults > 0
  }

  /** Calls `stop` for a graceful shutdown. Until this is set, there is nothing to finish and the process exits immediately. */
  onStop(stop: () => void): void {
    this.#stop = stop
  }

  /** Calls `abandon`, which must be short, before a forced exit. */
  onForcedExit(abandon: () => Promise<unknown>): void {
    this.#abandon = abandon
  }

  /** Calls the app's own listeners for the signal that stopped the process, once no task runs any more. */
  passSignalOn(): Promise<void> {
    return this.#appSignals.passOn()
  }

  #signalled(signal: NodeJS.Signals): void {
    // A task that restores removed listeners may add ours twice.
    if (this.#handling === signal) return
    this.#handling = signal
    setImmediate(() => (this.#handling = undefined))
    if (signal === 'SIGINT' && this.#interrupts.isSecond()) {
      log.warn('Received SIGINT again: exiting now.')
      return void (this.#abandon?.() ?? Promise.resolve()).finally(() => exit(130))
    }
    // The supervisor passes a Ctrl+C on as SIGINT; its other signals do not come from a terminal.
    const isPassedOn = isSupervised() && signal !== 'SIGINT'
    this.#shutDown(`Received ${signal}`, isPassedOn ? '' : ' (press Ctrl+C again to force)')
  }

  #shutDown(why: string, hint = ''): void {
    if (this.#isStopping) return
    this.#isStopping = true
    log.warn(`${why} - shutting down gracefully...${hint}`)
    if (this.#stop) this.#stop()
    else exit(this.#faults > 0 ? 1 : 0)
  }

  /** An error in a timer or promise of an unknown task, so every task may be in a bad state. */
  #fault(error: unknown): void {
    this.#faults++
    log.error(`Uncaught error: ${isA(error, Error) ? nameAndMessage(error) : briefly(error)}`)
    if (isA(error, Error)) log.debug(recordOf(error).traceback.trimEnd())
    this.#shutDown('The process may be in a bad state')
  }
}

function exit(code: number): void {
  finished()
  process.exit(code)
}

/** Recognizes the second Ctrl+C, which forces an exit. */
export class Interrupts {
  #first: number | undefined

  /** Counts a SIGINT; true if it is the second one. */
  isSecond(): boolean {
    const first = this.#first
    this.#first ??= performance.now()
    const underNpm = process.env['npm_lifecycle_event'] !== undefined && process.stdin.isTTY
    return first !== undefined && !(underNpm && performance.now() - first < NPM_REPEAT_MS)
  }
}

/** Adds a process listener that stays even if a task removes all listeners. */
function keepListening(name: string, listener: (value: unknown) => void): void {
  const events: NodeJS.EventEmitter = process
  const putBack = (gone: string, removed: unknown): void => {
    if (gone !== name || removed !== listener) return
    queueMicrotask(() => {
      if (!events.listeners(name).includes(listener)) events.on(name, listener)
      // The 'removeListener' listener may have been removed as well.
      if (!events.listeners('removeListener').includes(putBack))
        events.on('removeListener', putBack)
    })
  }
  events.on(name, listener).on('removeListener', putBack)
}
