import type { ChildProcess } from 'node:child_process'
import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { onAtWork, SIGNALS, spawnSelf } from './self'

const FIRST = 100
const LONGEST = 30_000
/** Who was at work for so long was sound: the next death is a new story. */
const SOUND_AFTER = 10_000

/** A batch worker, which nobody watches, is given up when it has died so often in a row before it was at work. */
const BATCH_TRIES = 5

/** What all places of one supervisor have in common. */
export interface PlaceWish {
  readonly processes: number
  /** The workers' names are this and a number. Random names unless told. */
  readonly workerId?: string | undefined
  readonly batch: boolean
  /** Whether a worker that ends with 0 is done: one of a batch, or with so many tasks to run. */
  readonly mayBeDone: boolean
}

/** Where one worker is, and after its death the next. */
export class WorkerPlace {
  /** Whether a worker was ever at work here; false once it is known that none will be. */
  readonly isProven: Promise<boolean>
  readonly #wish: PlaceWish
  readonly #number: number
  readonly #backOff = new BackOff()
  #prove: (isProven: boolean) => void = () => {}
  #child: ChildProcess | undefined
  #wasAtWork = false
  #falseStarts = 0

  constructor(wish: PlaceWish, number: number) {
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
        if (this.#isLast(life)) return this.#endedWith(life)
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
      return {
        how: `cannot be started: ${error instanceof Error ? error.message : String(error)}`,
        code: null,
        signal: null,
        worked: undefined,
      }
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
      child.on('close', (code, signal) =>
        resolve({
          how: howEnded(child, code, signal),
          code,
          signal,
          worked: since === undefined ? undefined : clock.now() - since,
        }),
      )
    })
  }

  /** Whether no other worker follows on this one. */
  #isLast({ code, worked }: Life): boolean {
    this.#falseStarts = worked === undefined ? this.#falseStarts + 1 : 0
    const isDone = code === 0 && this.#wish.mayBeDone
    const isHopeless = this.#number === 1 && !this.#wasAtWork
    return isDone || isHopeless || (this.#wish.batch && this.#falseStarts >= BATCH_TRIES)
  }

  /** What ended with an exit code has told why itself. */
  #endedWith(life: Life): number {
    if (life.code === null || this.#falseStarts >= BATCH_TRIES)
      log.error(`${this.#name} ${life.how}, and is not replaced`)
    return codeOf(life)
  }

  async #pause({ how, worked = 0 }: Life, stopping: AbortSignal): Promise<void> {
    const patience = this.#backOff.after(worked)
    log.warn(`${this.#name} ${how}; another starts in ${(patience / 1000).toFixed(2)} s`)
    await clock.sleep(patience, stopping)
  }

  get #name(): string {
    const { workerId, processes } = this.#wish
    return workerId === undefined
      ? `Worker ${this.#number} of ${processes}`
      : `Worker ${workerId}-${this.#number}`
  }

  #ownArguments(): string[] {
    const { workerId } = this.#wish
    return [
      '--processes',
      '1',
      ...(workerId === undefined ? [] : ['--worker-id', `${workerId}-${this.#number}`]),
    ]
  }
}

/** How long to wait before what died is started again: longer each time, and never quite the same. */
export class BackOff {
  #deaths = 0

  /** Milliseconds, after a death that came so many milliseconds after the beginning of work. */
  after(worked: number): number {
    if (worked >= SOUND_AFTER) this.#deaths = 0
    const full = Math.min(LONGEST, FIRST * 2 ** this.#deaths++)
    return full * (0.5 + Math.random() / 2)
  }
}

/** How one worker process came and went. */
interface Life {
  /** How it ended, to go behind its name. */
  readonly how: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Milliseconds from the start of its worker; undefined if that did not start. */
  readonly worked: number | undefined
}

function howEnded(
  { pid }: ChildProcess,
  code: number | null,
  signal: NodeJS.Signals | null,
): string {
  return `(process ${pid}) ${signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`}`
}

function codeOf({ code }: Life): number {
  return code ?? 1
}

/** A process too young to handle signals is ended by the one that was passed on to it, and had nothing to finish. */
function codeAfterStop(life: Life): number {
  const isYoung = life.worked === undefined && SIGNALS.some((signal) => signal === life.signal)
  return isYoung ? 0 : codeOf(life)
}
