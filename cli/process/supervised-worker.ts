import type { ChildProcess } from 'node:child_process'
import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { ChildHealth } from '../health/child-health'
import { askMetrics, type Measured } from '../metrics/ask-child'
import { onHealth, onLoaded, onStarted, reportLoaded, SIGNALS, spawnSelf } from './self'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000
/** A worker that ran this long (ms) resets the backoff. */
const HEALTHY_AFTER_MS = 10_000

/** A batch worker is not replaced after this many consecutive failures to start, because nobody watches a batch. */
const BATCH_START_ATTEMPTS = 5

/** Options of all workers of one supervisor. */
export interface FleetOptions {
  readonly processes: number
  /** Worker n is named `<workerId>-<n>`. Default: random names. */
  readonly workerId?: string | undefined
  readonly batch: boolean
  /** True if exit code 0 means that a worker is done (--batch, --max-tasks); else it is replaced. */
  readonly mayBeDone: boolean
}

/** A worker process, and after its death its replacement. */
export class SupervisedWorker {
  /** True once a worker has started; false if none ever will. */
  readonly hasStarted: Promise<boolean>
  readonly health = new ChildHealth()
  readonly #options: FleetOptions
  readonly #number: number
  readonly #backOff = new BackOff()
  #settleStarted: (hasStarted: boolean) => void = () => {}
  #child: ChildProcess | undefined
  #didStart = false
  #failedStarts = 0

  constructor(options: FleetOptions, number: number) {
    this.#options = options
    this.#number = number
    this.hasStarted = new Promise((resolve) => (this.#settleStarted = resolve))
  }

  /** Runs workers, one after another, until one is done or `stopping` aborts. Returns the last one's exit code. */
  async run(stopping: AbortSignal): Promise<number> {
    try {
      while (!stopping.aborted) {
        const exit = await this.#runOnce()
        if (stopping.aborted) return codeAfterStop(exit)
        if (this.#isLast(exit)) return this.#finalCode(exit)
        await this.#pause(exit, stopping)
      }
      return 0
    } finally {
      this.#settleStarted(false)
      this.health.done()
    }
  }

  /** What its process measures. */
  async metrics(): Promise<Measured> {
    return this.#child ? askMetrics(this.#child) : 'silent'
  }

  /** Sends a signal to the process, if there is one. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Starts one worker process and waits until it exits. */
  async #runOnce(): Promise<Exit> {
    try {
      return await this.#exitOf(spawnSelf((args) => [...args, ...this.#ownArguments()]))
    } catch (error) {
      // The machine may temporarily be out of memory or processes.
      return {
        how: `cannot be started: ${error instanceof Error ? error.message : String(error)}`,
        code: null,
        signal: null,
        workedMs: undefined,
      }
    } finally {
      this.#child = undefined
      this.health.gone()
    }
  }

  #exitOf(child: ChildProcess): Promise<Exit> {
    this.#child = child
    this.health.begun()
    onHealth(child, (report) => this.health.heard(report))
    let startedAt: number | undefined
    onStarted(child, () => {
      startedAt = clock.now()
      this.#didStart = true
      this.#settleStarted(true)
    })
    onLoaded(child, (files) => void reportLoaded(files))
    return new Promise((resolve, reject) => {
      child.on('error', (error) => void (child.pid === undefined && reject(error)))
      // Not 'exit': that may come before the child's last messages are read.
      child.on('close', (code, signal) =>
        resolve({
          how: howEnded(child, code, signal),
          code,
          signal,
          workedMs: startedAt === undefined ? undefined : clock.now() - startedAt,
        }),
      )
    })
  }

  /** True if the worker is not replaced. */
  #isLast({ code, workedMs }: Exit): boolean {
    this.#failedStarts = workedMs === undefined ? this.#failedStarts + 1 : 0
    const isDone = code === 0 && this.#options.mayBeDone
    const isHopeless = this.#number === 1 && !this.#didStart
    return (
      isDone || isHopeless || (this.#options.batch && this.#failedStarts >= BATCH_START_ATTEMPTS)
    )
  }

  /** Logs why the worker is not replaced, unless it exited with a code: then it has logged the reason itself. */
  #finalCode(exit: Exit): number {
    if (exit.code === null || this.#failedStarts >= BATCH_START_ATTEMPTS)
      log.error(`${this.name} ${exit.how}; not replaced`)
    return codeOf(exit)
  }

  async #pause({ how, workedMs = 0 }: Exit, stopping: AbortSignal): Promise<void> {
    const delayMs = this.#backOff.after(workedMs)
    log.warn(`${this.name} ${how}; a replacement starts in ${(delayMs / 1000).toFixed(2)} s`)
    await clock.sleep(delayMs, stopping)
  }

  /** As log lines name it. */
  get name(): string {
    const { workerId, processes } = this.#options
    return workerId === undefined
      ? `Worker ${this.#number} of ${processes}`
      : `Worker ${workerId}-${this.#number}`
  }

  #ownArguments(): string[] {
    const { workerId } = this.#options
    return [
      '--processes',
      '1',
      '--supervised',
      // All would tell the same.
      ...(this.#number > 1 ? ['--no-metrics-queues'] : []),
      ...(workerId === undefined ? [] : ['--worker-id', `${workerId}-${this.#number}`]),
    ]
  }
}

/** Delay before a dead worker is replaced: doubles with each death, randomized between half and full. */
export class BackOff {
  #deaths = 0

  /** The delay in ms, after a worker died that had run for `workedMs`. */
  after(workedMs: number): number {
    if (workedMs >= HEALTHY_AFTER_MS) this.#deaths = 0
    const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#deaths++)
    return full * (0.5 + Math.random() / 2)
  }
}

/** How one worker process ended. */
interface Exit {
  /** A description that follows the worker's name in log lines. */
  readonly how: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Time in ms that its worker ran; undefined if it did not start. */
  readonly workedMs: number | undefined
}

function howEnded(
  { pid }: ChildProcess,
  code: number | null,
  signal: NodeJS.Signals | null,
): string {
  return `(process ${pid}) ${signal === null ? `exited with code ${code}` : `was killed by ${signal}`}`
}

function codeOf({ code }: Exit): number {
  return code ?? 1
}

/** 0 if the signal killed a process that had not started its worker: it had no signal handler yet, and nothing to finish. */
function codeAfterStop(exit: Exit): number {
  const isUnstarted =
    exit.workedMs === undefined && SIGNALS.some((signal) => signal === exit.signal)
  return isUnstarted ? 0 : codeOf(exit)
}
