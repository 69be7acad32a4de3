import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { clock } from '../clock'
import { LoadError, type TasksError } from '../errors/errors'
import { WorkerStops, ProcessLost } from '../errors/run-errors'
import type { ErrorRecord } from '../errors/error-record'
import { inGrace } from '../execution/abort'
import { log } from '../events/logger'
import type { Run } from '../execution/executor'
import type { Outcome } from '../store'
import type { RunOutcome } from '../execution/run-outcome'
import type { Isolation } from './isolation-options'
import { type FromChild, type ToChild, isOurs, textOf } from './ipc-messages'

/** Loading an app takes a while; what takes longer hangs. */
const LOADING = 60_000
/** A process that does not begin with a task within this time is blocked by what an earlier one left behind. */
const BEGINNING = 5_000
/** What a process said last may be read after its end, within this time. */
const LAST_WORDS = 1_000

/** The process ended, or was no good any more, before the task began in it; the cause says how. */
export class NotBegun extends Error {}

/** The run that goes on in the process. */
interface Current {
  readonly run: Run
  readonly end: (outcome: RunOutcome) => void
  readonly fail: (error: Error) => void
  hasBegun: boolean
}

/** One child process, as its worker sees it: it runs one task at a time. */
export class Child {
  /** Rejects if the app does not load in it. */
  readonly ready: Promise<void>
  /** Resolves when the process is no more, with how it ended. */
  readonly gone: Promise<ProcessLost>
  readonly #process: ChildProcess
  readonly #module: string
  readonly #over = new AbortController()
  #current: Current | undefined
  #fault: ErrorRecord | undefined
  #isKilled = false
  #loaded: (failure?: TasksError) => void = () => {}

  constructor(isolation: Isolation) {
    this.#module = isolation.module
    this.#process = fork(join(__dirname, 'child-main.js'), [], {
      execArgv: ownArguments(),
      serialization: 'json',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#process.on('message', (message) => isOurs<FromChild>(message) && this.#hear(message))
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

  /** Carries out a run. @throws ProcessLost when the process ends instead; NotBegun when it does so before the task began. */
  async run(run: Run): Promise<RunOutcome> {
    const { backend, row, signal } = run
    const abort = (): void =>
      this.#tell({ typeormTasks: 'abort', reason: (signal.reason as Error).name })
    const ended = new Promise<RunOutcome>(
      (end, fail) => (this.#current = { run, end, fail, hasBegun: false }),
    )
    this.#tell({ typeormTasks: 'run', backend: backend.alias, row: textOf(row) })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    const done = new AbortController()
    void clock
      .sleep(BEGINNING, done.signal)
      .then(() => this.#current?.hasBegun === false && !done.signal.aborted && this.kill())
    try {
      return await inGrace(ended, signal, () => (this.#giveUp(run), ended))
    } finally {
      done.abort()
      signal.removeEventListener('abort', abort)
      this.#current = undefined
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

  #giveUp({ signal, row: { values } }: Run): void {
    // At a stop the worker itself decides how long it waits.
    if (signal.reason instanceof WorkerStops) return
    log.warn(
      `Task id=${values.id} path=${values.taskName} ignored its signal (${(signal.reason as Error).name}): its process ${this.pid} is killed`,
    )
    this.kill()
  }

  #hear(message: FromChild): void {
    const current = this.#current
    switch (message.typeormTasks) {
      case 'ready':
        return this.#loaded()
      case 'broken':
        return this.#refuse(notLoaded(this.#module, message.error))
      case 'fault':
        return void (this.#fault = message.error)
      case 'began':
        return begin(current)
      case 'progress':
        return current?.run.report(message.progress)
      case 'ended':
        return current?.end(message.runOutcome)
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
    void clock
      .sleep(LOADING, done.signal)
      .then(() => done.signal.aborted || this.#refuse(tooLate(this.#module)))
    return answer.finally(() => done.abort())
  }

  #refuse(error: LoadError): void {
    this.#loaded(error)
    this.kill()
  }

  #end(): Promise<ProcessLost> {
    return new Promise((resolve) => {
      const end = (how: string, options?: ErrorOptions): void =>
        resolve(this.#lost(new ProcessLost(how, options)))
      this.#process.once(
        'exit',
        (code, signal) => void this.#lastWords().then(() => end(howOf(code, signal, this.#fault))),
      )
      this.#process.on(
        'error',
        (cause) =>
          this.pid === undefined && end(`it could not be started (${cause.message})`, { cause }),
      )
      // A task that cuts the channel can tell no result any more.
      this.#process.once(
        'disconnect',
        () =>
          void clock
            .sleep(LAST_WORDS, this.#over.signal)
            .then(() => this.#over.signal.aborted || this.kill()),
      )
    })
  }

  #lost(lost: ProcessLost): ProcessLost {
    this.#over.abort()
    this.#loaded(lost)
    const current = this.#current
    current?.fail(current.hasBegun ? lost : new NotBegun(lost.message, { cause: lost }))
    return lost
  }

  /** A process may end before its messages are read. */
  async #lastWords(): Promise<void> {
    if (!this.#process.connected) return
    const read = new AbortController()
    this.#process.once('disconnect', () => read.abort())
    await clock.sleep(LAST_WORDS, read.signal)
  }

  #tell(message: ToChild): void {
    // That it cannot hear any more is told by its end.
    if (this.#process.connected) this.#process.send(message, () => {})
  }
}

function begin(current: Current | undefined): void {
  if (!current) return
  current.hasBegun = true
  current.run.begins()
}

/** What the run may commit; null: nothing. */
async function completion(
  current: Current | undefined,
  returnValue: string | null,
): Promise<Outcome | null> {
  try {
    return (await current?.run.completion(returnValue)) ?? null
  } catch {
    return null
  }
}

function howOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  fault: ErrorRecord | undefined,
): string {
  const how = signal === null ? `exit code ${code}` : signal
  return fault ? `${how}, after ${fault.traceback.split('\n')[0]}` : how
}

function tooLate(module: string): LoadError {
  return new LoadError(
    `The child process has not loaded ${module} within ${LOADING / 1000} s.`,
    'Does it wait for something that never comes? It must start no worker and no server.',
  )
}

function notLoaded(module: string, error: ErrorRecord): LoadError {
  return new LoadError(
    `The child process could not load ${module}: ${error.traceback.trimEnd()}`,
    '',
  )
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
