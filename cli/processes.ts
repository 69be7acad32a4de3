import type { ChildProcess } from 'node:child_process'
import { clock } from '../lib/clock'
import { log } from '../lib/log'
import { BackOff } from './back-off'
import { Interrupts } from './interrupts'
import { onAtWork, onOrphaned, SIGNALS, spawnSelf } from './own-process'

/** A batch worker, which nobody watches, is given up when it has died so often in a row before it was at work. */
const BATCH_TRIES = 5
/** So long after a second Ctrl+C a worker may still be there; one that computes cannot hear it. */
const FORCED_GRACE = 2_000

export interface FleetWish {
  readonly processes: number
  /** The workers' names are this and a number. Random names unless told. */
  readonly workerId?: string | undefined
  readonly batch: boolean
  /** Whether a worker that ends with 0 is done: one of a batch, or with so many tasks to run. */
  readonly mayBeDone: boolean
}

/**
 * Runs this same command in so many child processes, and a new one in the place of each that dies; gives the highest
 * exit code of those that were there in the end.
 */
export async function superviseProcesses(wish: FleetWish): Promise<number> {
  const [first, ...others] = Array.from({ length: wish.processes }, (_, at) => new Place(wish, at + 1))
  const places = first ? [first, ...others] : []
  const fleet = new Fleet(places)
  // The others wait until the first is at work, so that a mistake in the settings is told once and ends all.
  const codes = await Promise.all(places.map(async (place) => (place === first || (await first?.isProven) ? place.keep(fleet.stopping) : 0)))
  return fleet.isForced ? 130 : Math.max(...codes)
}

/** All workers of one supervisor, as signals see them. */
class Fleet {
  readonly #places: readonly Place[]
  readonly #stopping = new AbortController()
  readonly #interrupts = new Interrupts()
  isForced = false

  constructor(places: readonly Place[]) {
    this.#places = places
    for (const signal of SIGNALS) process.on(signal, () => this.#stop(signal, `Received ${signal}`))
    onOrphaned(() => this.#stop('SIGTERM', 'The process that watches over this one is gone'))
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  #stop(signal: NodeJS.Signals, why: string): void {
    if (!this.stopping.aborted) log.warn(`${why}: stopping all workers`)
    this.#stopping.abort()
    this.#tell(signal)
    if (signal === 'SIGINT' && this.#interrupts.isSecond()) void this.#force()
  }

  async #force(): Promise<void> {
    this.isForced = true
    await clock.sleep(FORCED_GRACE)
    this.#tell('SIGKILL')
  }

  #tell(signal: NodeJS.Signals): void {
    for (const place of this.#places) place.tell(signal)
  }
}

/** Where one worker is, and after its death the next. */
class Place {
  /** Whether a worker was ever at work here; false once it is known that none will be. */
  readonly isProven: Promise<boolean>
  readonly #wish: FleetWish
  readonly #number: number
  readonly #backOff = new BackOff()
  #prove: (isProven: boolean) => void = () => {}
  #child: ChildProcess | undefined
  #wasAtWork = false
  #falseStarts = 0

  constructor(wish: FleetWish, number: number) {
    this.#wish = wish
    this.#number = number
    this.isProven = new Promise((resolve) => (this.#prove = resolve))
  }

  /** Keeps a worker here until it is done, or all are stopped; gives the last one's exit code. */
  async keep(stopping: AbortSignal): Promise<number> {
    try {
      while (!stopping.aborted) {
        const life = await this.#live()
        if (stopping.aborted) return codeAfterStop(life)
        if (this.#isLast(life)) return codeOf(life)
        await this.#pause(life, stopping)
      }
      return 0
    } finally {
      this.#prove(false)
    }
  }

  tell(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** One worker, from its start to its end. */
  async #live(): Promise<Life> {
    try {
      return await this.#ended(spawnSelf((args) => [...args, ...this.#ownArguments()]))
    } catch (error) {
      // The machine may have no memory or no process to spare; that passes.
      log.error(`${this.#name} cannot be started: ${error instanceof Error ? error.message : String(error)}`)
      return { pid: undefined, code: 1, signal: null, worked: undefined }
    } finally {
      this.#child = undefined
    }
  }

  #ended(child: ChildProcess): Promise<Life> {
    this.#child = child
    let since: number | undefined
    onAtWork(child, () => {
      since = clock.now()
      this.#wasAtWork = true
      this.#prove(true)
    })
    return new Promise((resolve, reject) => {
      child.on('error', (error) => void (child.pid === undefined && reject(error)))
      // All that it sent has been read by then, which cannot be said of 'exit'.
      child.on('close', (code, signal) => resolve({ pid: child.pid, code, signal, worked: since === undefined ? undefined : clock.now() - since }))
    })
  }

  /** Whether no other worker follows on this one. */
  #isLast({ code, worked }: Life): boolean {
    this.#falseStarts = worked === undefined ? this.#falseStarts + 1 : 0
    const isDone = code === 0 && this.#wish.mayBeDone
    const isHopeless = this.#number === 1 && !this.#wasAtWork
    return isDone || isHopeless || (this.#wish.batch && this.#falseStarts >= BATCH_TRIES)
  }

  async #pause({ pid, code, signal, worked = 0 }: Life, stopping: AbortSignal): Promise<void> {
    const patience = this.#backOff.after(worked)
    const end = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`
    log.warn(`${this.#name}${pid === undefined ? '' : ` (process ${pid}) ${end}`}; another starts in ${(patience / 1000).toFixed(2)} s`)
    await clock.sleep(patience, stopping)
  }

  get #name(): string {
    const { workerId, processes } = this.#wish
    return workerId === undefined ? `Worker ${this.#number} of ${processes}` : `Worker ${workerId}-${this.#number}`
  }

  #ownArguments(): string[] {
    const { workerId } = this.#wish
    return ['--processes', '1', ...(workerId === undefined ? [] : ['--worker-id', `${workerId}-${this.#number}`])]
  }
}

/** How one worker process came and went. */
interface Life {
  readonly pid: number | undefined
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Milliseconds from the start of its worker; undefined if that did not start. */
  readonly worked: number | undefined
}

function codeOf({ code }: Life): number {
  return code ?? 1
}

/** A process too young to handle signals is ended by the one that was passed on to it, and had nothing to finish. */
function codeAfterStop(life: Life): number {
  const isYoung = life.worked === undefined && SIGNALS.some((signal) => signal === life.signal)
  return isYoung ? 0 : codeOf(life)
}
