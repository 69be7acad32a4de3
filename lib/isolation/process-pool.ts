import { clock } from '../clock'
import { log } from '../events/logger'
import type { Executor, Run } from '../execution/executor'
import { type RunOutcome, failed, notBegun } from '../execution/run-outcome'
import { type Terms } from '../execution/retry'
import { EndedByEarlierRun, SetUpTrouble } from './child-errors'
import { Child } from './child-process'
import type { Isolation } from './isolation-options'
import { ProcessLost } from '../errors/run-errors'

/** Time in ms that a child has to end in order; then it is killed. */
const LEAVING = 1_000
/** Time in ms for a killed process to be gone: it takes longer only if the system itself holds it. */
const DYING = 500
/** So many processes are tried until the task begins in one. */
const TRIES = 3

/** The child processes of one worker: made when one is needed, kept for the next run. No more than runs at a time. */
export class Children {
  readonly #isolation: Isolation
  readonly #all = new Set<Child>()
  readonly #idle = new Set<Child>()
  #isClosing = false
  /** The app has loaded in a process: if it does not in another one, that is no fault of the app. */
  #hasLoaded = false

  constructor(isolation: Isolation) {
    this.#isolation = isolation
  }

  /** Carries out a run in a process of its own. */
  readonly run: Executor = async (run) => {
    try {
      return await this.#run(run)
    } catch (error) {
      // As if its worker had been lost: the task has done nothing wrong.
      if (error instanceof EndedByEarlierRun)
        return { ...failed(error.cause, termsOfLoss(run)), isCrash: true }
      if (!(error instanceof SetUpTrouble))
        return failed(error, error instanceof ProcessLost ? termsOfLoss(run) : run)
      return run.signal.aborted ? failed(run.signal.reason, run) : notBegun(error.cause)
    }
  }

  /** A process that ends before the task began in it, of what an earlier one left behind, is no failure of the task. */
  async #run(run: Run, tries = TRIES): Promise<RunOutcome> {
    const child = await this.#ready(run.signal)
    try {
      return await child.run(run).finally(() => this.#keep(child))
    } catch (error) {
      if (!(error instanceof SetUpTrouble)) throw error
      if (tries === 1 || this.#isClosing || run.signal.aborted) throw error
      return this.#run(run, tries - 1)
    }
  }

  /** Ends every run for good, and resolves when none goes on. */
  async kill(): Promise<void> {
    this.#isClosing = true
    await this.#end([...this.#all].filter((child) => !this.#idle.has(child)))
  }

  /** Ends every process: those that have nothing to do in order. */
  async close(): Promise<void> {
    this.#isClosing = true
    const done = new AbortController()
    for (const child of this.#idle) child.dismiss()
    const inOrder = Promise.all([...this.#idle].map((child) => child.gone))
    await Promise.race([
      Promise.all([this.kill(), inOrder]),
      clock.sleep(LEAVING, done.signal),
    ]).finally(() => done.abort())
    await this.#end([...this.#all])
  }

  async #end(children: readonly Child[]): Promise<void> {
    if (children.length === 0) return
    const done = new AbortController()
    for (const child of children) child.kill()
    await Promise.race([
      Promise.all(children.map((child) => child.gone)),
      clock.sleep(DYING, done.signal),
    ]).finally(() => done.abort())
  }

  /** A child that has loaded the app, for one run. @throws the signal's reason if it aborts meanwhile; SetUpTrouble. */
  async #ready(signal: AbortSignal): Promise<Child> {
    const [idle] = this.#idle
    const child = idle ?? this.#start()
    this.#idle.delete(child)
    try {
      await Promise.race([aborted(signal), child.ready])
      this.#hasLoaded = true
      return child
    } catch (error) {
      // If only its run was given up, the next run waits for it.
      this.#keep(child)
      const isTrouble = this.#hasLoaded && !signal.aborted && error instanceof Error
      throw isTrouble && !(error instanceof SetUpTrouble) ? new SetUpTrouble(error) : error
    }
  }

  #start(): Child {
    const child = this.#made()
    this.#all.add(child)
    void child.gone.then((lost) => {
      this.#all.delete(child)
      if (this.#idle.delete(child) && !this.#isClosing)
        log.warn(`The child process ${child.pid} ended while it was idle: ${lost.how}`)
    })
    return child
  }

  /** @throws SetUpTrouble if the system has no room for another process. */
  #made(): Child {
    try {
      return new Child(this.#isolation)
    } catch (cause) {
      throw new SetUpTrouble(cause as Error)
    }
  }

  #keep(child: Child): void {
    if (child.isUsable) this.#idle.add(child)
  }
}

/** A lost process is a failure like any other, unless the task must not run again after a crash. */
function termsOfLoss({ row, policy, signal }: Run): Terms {
  return { row, signal, policy: policy.rerunAfterCrash ? policy : { ...policy, retry: null } }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
