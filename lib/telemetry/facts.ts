import { OneClass, onePerProcess } from '../copies/one-per-process'
import { briefly } from '../errors/error-record'
import { log } from '../events/logger'

/** Whose fact it is. */
export interface FactOfTask {
  /** The alias in TASKS. */
  readonly backend: string
  readonly queue: string
  readonly task: string
}

/** Orders of one task and queue were handed to their backend, by one call. */
export interface SentFact extends FactOfTask {
  readonly what: 'sent'
  /** Rows that were written; orders whose key had a row already are not among them. */
  readonly count: number
  /** The time in ms that the whole call took. */
  readonly ms: number
  /** The class of the error that kept them from being stored; null: they are stored. */
  readonly error: string | null
}

/** A worker begins a run. */
export interface StartedFact extends FactOfTask {
  readonly what: 'started'
  /** Which run of the task it is, from 1. */
  readonly attempt: number
  /** The time in ms since the task was due; null after a lost worker and after a retry by hand: the row does not say it. */
  readonly waitMs: number | null
}

/** A run has ended, and what came of it is stored. */
export interface EndedFact extends FactOfTask {
  readonly what: 'ended'
  /** `retry`: the run failed, and another one will follow. */
  readonly outcome: 'successful' | 'failed' | 'retry'
  /** The class of the error as its row has it; null: none. */
  readonly error: string | null
  /** The time in ms that the run took; null: the run began before anybody listened. */
  readonly runMs: number | null
}

/** A run goes on whose row another worker has taken over: its result is discarded. */
export interface LostFact extends FactOfTask {
  readonly what: 'lost'
}

/** Rows were taken over whose workers were lost. */
export interface RescuedFact {
  readonly what: 'rescued'
  readonly backend: string
  /** Rows that will run again. */
  readonly requeued: number
  /** Rows that are FAILED, since they have lost too many workers. */
  readonly failed: number
}

/** A worker has asked its backend for something other than a run: its bookkeeping. */
export interface AskedFact {
  readonly what: 'asked'
  readonly backend: string
  /** `exchange`, `renew`, `report`, `release`, `rescue`, `settle`, `prune` and the like. */
  readonly verb: string
  readonly ms: number
  /** The class of the error in place of an answer; null: it was answered. */
  readonly error: string | null
}

/** Something that metrics are made of. Facts hold no arguments, ids or messages. */
export type TaskFact = SentFact | StartedFact | EndedFact | LostFact | RescuedFact | AskedFact

/** A worker at work in this process. */
export interface WorkerAtWork {
  readonly workerId: string
  /** The alias in TASKS. */
  readonly backend: string
  /** Tasks that it runs at a time, at most. */
  readonly concurrency: number
  /** Tasks that it runs now. */
  readonly running: number
}

export type FactListener = (fact: TaskFact) => unknown

/** The facts of this process. Listeners only watch: their faults are logged and change no task's fate. */
@OneClass('TaskFacts')
export class TaskFacts {
  /** Whether anybody listens: else no fact is made. */
  readonly isHeard: boolean = false
  /** The workers of this process that are at work. */
  readonly workers: ReadonlySet<WorkerAtWork> = new Set()
  readonly #listeners = new Set<FactListener>()

  /** Calls `listener` with each fact from now on; the function it gives back ends that. */
  connect(listener: FactListener): () => void {
    this.#listeners.add(listener)
    this.#count()
    return () => {
      this.#listeners.delete(listener)
      this.#count()
    }
  }

  /** Never throws and never waits for a listener's promise. */
  send(fact: TaskFact): void {
    for (const listener of this.#listeners) this.#tell(listener, fact)
  }

  /** A plain property is read where a getter would be called, for every task. */
  #count(): void {
    Object.assign(this, { isHeard: this.#listeners.size > 0 })
  }

  #tell(listener: FactListener, fact: TaskFact): void {
    try {
      const heard = listener(fact)
      if (typeof heard === 'object' && heard !== null)
        void Promise.resolve(heard).catch((error: unknown) => this.#fault(fact, error))
    } catch (error) {
      this.#fault(fact, error)
    }
  }

  #fault({ what }: TaskFact, error: unknown): void {
    log.error(`A listener of task facts failed (${what}): ${briefly(error)}`)
  }
}

export const taskFacts = onePerProcess('facts', () => new TaskFacts())

/** Says that a worker is at work; the function it gives back, that it is no more. */
export function atWork(worker: WorkerAtWork): () => void {
  const workers = taskFacts.workers as Set<WorkerAtWork>
  workers.add(worker)
  return () => void workers.delete(worker)
}
