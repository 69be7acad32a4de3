import { expectExit } from '../unfinished'
import { SIGNALS, WORKER_SIGNALS } from './self'

const HELD = new Set<string | symbol>(WORKER_SIGNALS)

/**
 * Holds back the signals that stop a process from the app's own listeners while tasks run: an app that closes its DataSource
 * at SIGTERM, as Nest does with enableShutdownHooks(), would fail the running tasks.
 */
export class AppSignals {
  readonly #own = new Set<unknown>()
  #received: NodeJS.Signals | undefined

  /** From now on these signals call `listener` only. */
  constructor(listener: (signal: NodeJS.Signals) => void) {
    const emit = process.emit.bind(process) as (...given: unknown[]) => boolean
    const hold = (event: string | symbol, ...given: unknown[]): boolean => {
      if (!HELD.has(event) || this.isForApp(event)) return emit(event, ...given)
      this.#received ??= event as NodeJS.Signals
      listener(event as NodeJS.Signals)
      return true
    }
    // Node binds `emit` to a signal when the first listener is added, so earlier listeners are added again.
    const earlier = [...HELD].map((name) => [name, process.rawListeners(name as 'exit')] as const)
    for (const [name] of earlier) process.removeAllListeners(name)
    process.emit = hold as typeof process.emit
    for (const [name, listeners] of earlier)
      for (const each of listeners) process.on(name, each as () => void)
  }

  /** A listener that is not the app's, and is not called by `passOn`. */
  own(listener: unknown): void {
    this.#own.add(listener)
  }

  /**
   * An app reopens its logs or reads its settings again at SIGHUP, unless the same function listens for SIGTERM too, as
   * Nest's shutdown hooks do.
   */
  isForApp(signal: string | symbol): boolean {
    if (signal !== 'SIGHUP') return false
    const stopping = SIGNALS.flatMap((each) => this.#listenersOf(each))
    const theirs = this.#listenersOf(signal)
    return theirs.length > 0 && !theirs.some((each) => stopping.includes(each))
  }

  /** Calls the app's listeners for the signal that was received, if any, and waits for those that return a promise. */
  async passOn(): Promise<void> {
    const signal = this.#received
    if (signal === undefined) return
    expectExit()
    const theirs = this.#listenersOf(signal)
    await Promise.allSettled(
      theirs.map(async (each) => await (Reflect.apply(each, process, [signal]) as unknown)),
    )
  }

  /** Those of the app. */
  #listenersOf(signal: NodeJS.Signals): NodeJS.SignalsListener[] {
    return process.listeners(signal).filter((each) => !this.#own.has(each))
  }
}
