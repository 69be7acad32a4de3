import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { clock } from '../clock'
import { ProcessLost, WorkerStops } from '../errors/run-errors'
import { briefName } from '../errors/suggestions'
import { ABORT_GRACE_MS, inGrace } from '../execution/abort'
import { log } from '../events/logger'
import type { Run } from '../execution/executor'
import type { RunOutcome } from '../execution/run-outcome'
import {
  EndedByEarlierRun,
  howItEnded,
  lostAtLoading,
  notLoaded,
  SetUpTrouble,
  tooLate,
} from './child-errors'
import { begin, completion, type Current, graceOf, hasBegun } from './child-run'
import type { Isolation } from './isolation-options'
import { ownFile } from './own-files'
import {
  type FromChild,
  type RunMessage,
  type ToChild,
  isOurs,
  messageOf,
  textOf,
} from './ipc-messages'

/** Time in ms to load an app. */
const LOADING_MS = 60_000
/** Time in ms to take a run. A process that takes longer is blocked by what an earlier task left behind. */
const TAKING_MS = 5_000
/** Time in ms in which the last messages of a process are read after its end. */
const LAST_WORDS_MS = 1_000

/** One child process, as its worker sees it: it runs one task at a time. */
export class Child {
  /** Rejects if the app does not load in it: with SetUpTrouble if it may load a moment later. */
  readonly ready: Promise<void>
  /** Resolves when the process is no more, with how it ended. */
  readonly gone: Promise<ProcessLost>
  readonly #process: ChildProcess
  readonly #module: string
  readonly #over = new AbortController()
  #current: Current | undefined
  #isLoaded = false
  /** The error, or the message, that ends the process. */
  #fault: string | undefined
  #isFaultOfEarlierRun = false
  #isKilled = false
  #loaded: (failure?: Error) => void = () => {}

  constructor(isolation: Isolation) {
    this.#module = isolation.module
    this.#process = fork(ownFile('child-main'), [], {
      execArgv: ownArguments(),
      serialization: 'json',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#process.on('message', (message) => this.#read(message))
    this.gone = this.#end()
    this.ready = this.#loading()
    // Who waits for it hears of it.
    this.ready.catch(() => {})
    this.#tell({ typeormTasks: 'load', ...isolation })
    // It must not keep its worker from ending.
    this.#process.unref()
    this.#process.channel?.unref()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Whether it can be given another run. */
  get isUsable(): boolean {
    return !this.#isKilled && this.#process.connected && this.#fault === undefined
  }

  /** Carries out a run. @throws ProcessLost when the process ends instead; SetUpTrouble when it does so before the task began. */
  async run(run: Run): Promise<RunOutcome> {
    const { backend, row, signal, trace } = run
    let abortedAt = Number.POSITIVE_INFINITY
    const abort = (): void => {
      abortedAt = clock.now()
      this.#tell({ typeormTasks: 'abort', reason: (signal.reason as Error).name })
    }
    const id = randomUUID()
    const ended = new Promise<RunOutcome>(
      (end, fail) => (this.#current = { id, run, end, fail, step: 'sent' }),
    )
    const given = { id, backend: backend.alias, row: textOf(row), ...(trace && { trace }) }
    this.#tell({ typeormTasks: 'run', ...given })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    const done = new AbortController()
    void this.#killUntaken(done.signal)
    try {
      return await inGrace(ended, signal, () => (this.#giveUp(run), ended), graceOf(run))
    } finally {
      done.abort()
      signal.removeEventListener('abort', abort)
      this.#current = undefined
      // The child gave it up: its code may go on, and must not do so beside the next run.
      if (clock.now() - abortedAt >= ABORT_GRACE_MS) this.kill()
    }
  }

  /** Ends it at once, whatever it does. */
  kill(): void {
    this.#isKilled = true
    this.#process.kill('SIGKILL')
  }

  /** Lets it end in order, if it has nothing to do. */
  dismiss(): void {
    if (this.#process.connected) this.#process.disconnect()
  }

  async #killUntaken(done: AbortSignal): Promise<void> {
    await sleepAwake(TAKING_MS, done)
    if (this.#current?.step === 'sent' && !done.aborted) this.kill()
  }

  #giveUp({ signal, row: { values } }: Run): void {
    // At a stop the worker itself decides how long it waits.
    if (signal.reason instanceof WorkerStops) return
    log.warn(
      `Task id=${values.id} path=${briefName(values.taskName)} ignored its signal (${(signal.reason as Error).name}): its process ${this.pid} is killed`,
    )
    this.kill()
  }

  /** A task can send whatever it likes over the channel; what is no message of ours, though it looks like one, ends its process. */
  #read(given: unknown): void {
    if (this.#isKilled || !isOurs(given)) return
    const message = messageOf(given, { isLoaded: this.#isLoaded, current: this.#current })
    if (message) return this.#hear(message)
    this.#fault = `a message that is none of the library's at this point (${String(given.typeormTasks).slice(0, 40)})`
    this.kill()
  }

  #hear(message: FromChild): void {
    const current = this.#current
    switch (message.typeormTasks) {
      case 'ready':
        this.#isLoaded = true
        return this.#loaded()
      case 'broken':
        return this.#refuse(notLoaded(this.#module, message.error), message.isPassing)
      case 'fault':
        this.#isFaultOfEarlierRun = message.isOfEarlierRun
        return void (this.#fault = message.error.traceback.split('\n')[0])
      default:
        if (current) this.#hearRun(message, current)
    }
  }

  #hearRun(message: RunMessage, current: Current): void {
    switch (message.typeormTasks) {
      case 'taken':
      case 'began':
        return begin(current, message.typeormTasks)
      case 'progress':
        return current.run.report(message.progress)
      case 'ended':
        return current.end(message.runOutcome)
      case 'completing':
        return void completion(current, message.returnValue).then((outcome) =>
          this.#tell({ typeormTasks: 'complete', outcome }),
        )
    }
  }

  #loading(): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => {
      this.#loaded = (failure) => (failure ? reject(failure) : resolve())
    })
    const done = new AbortController()
    void sleepAwake(LOADING_MS, done.signal).then(
      () => done.signal.aborted || this.#refuse(tooLate(this.#module, LOADING_MS)),
    )
    return answer.finally(() => done.abort())
  }

  #refuse(error: Error, isPassing = false): void {
    this.#loaded(isPassing ? new SetUpTrouble(error) : error)
    this.kill()
  }

  #end(): Promise<ProcessLost> {
    return new Promise((resolve) => {
      const end = (lost: ProcessLost, code: number | null): void => {
        this.#lose(lost, lostAtLoading(lost, code))
        resolve(lost)
      }
      this.#process.once(
        'exit',
        (code, signal) =>
          void this.#lastWords().then(() =>
            end(new ProcessLost(howItEnded(code, signal, this.#fault)), code),
          ),
      )
      this.#process.on('error', (cause) => {
        if (this.pid !== undefined) return
        end(new ProcessLost(`it could not be started (${cause.message})`, { cause }), null)
      })
      // A task that cuts the channel can tell no result any more.
      this.#process.once(
        'disconnect',
        () =>
          void clock
            .sleep(LAST_WORDS_MS, this.#over.signal)
            .then(() => this.#over.signal.aborted || this.kill()),
      )
    })
  }

  #lose(lost: ProcessLost, atLoading: Error): void {
    this.#over.abort()
    this.#loaded(atLoading)
    const current = this.#current
    if (!current) return
    if (!hasBegun(current.step)) current.fail(new SetUpTrouble(lost))
    else current.fail(this.#isFaultOfEarlierRun ? new EndedByEarlierRun(lost) : lost)
  }

  /** A process may end before its messages are read. */
  async #lastWords(): Promise<void> {
    if (!this.#process.connected) return
    const read = new AbortController()
    this.#process.once('disconnect', () => read.abort())
    await sleepAwake(LAST_WORDS_MS, read.signal)
  }

  #tell(message: ToChild): void {
    // That it cannot hear any more is told by its end.
    if (this.#process.connected) this.#process.send(message, () => {})
  }
}

/** A sleep after which what was sent meanwhile has been read: in a process that stood still timers fire before that. */
async function sleepAwake(ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms / 2, signal)
  await clock.sleep(ms / 2, signal)
}

/** The options that node was started with here, for a child of the same kind: loaders, limits of memory. Not a debugger's port, which is taken, and no script of the command line. */
export function ownArguments(given: readonly string[] = process.execArgv): string[] {
  return given.filter(
    (argument, at) =>
      !/^--(inspect|debug)/.test(argument) && !isScript(argument) && !isScript(given[at - 1] ?? ''),
  )
}

function isScript(argument: string): boolean {
  return ['-e', '--eval', '-p', '--print', '-pe'].includes(argument)
}
