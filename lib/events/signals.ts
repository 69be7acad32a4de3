import type { TaskBackend } from '../backend'
import { OneClass, onePerProcess } from '../copies/one-per-process'
import { briefly } from '../errors/error-record'
import { log } from './logger'
import type { TaskResult } from '../result'

/** What a listener hears: the result as it stands at that moment, and the backend that holds it. */
export interface TaskEvent {
  readonly backend: TaskBackend
  readonly result: TaskResult<unknown>
}

export type Listener = (event: TaskEvent) => unknown

/** Something that happened to a task. Listeners only watch: their faults are logged and change no task's fate. */
@OneClass('Signal')
export class Signal {
  readonly name: string
  /** Whether anybody listens: who sends much can spare the event. */
  readonly isHeard: boolean = false
  readonly #listeners = new Set<Listener>()

  constructor(name: string) {
    this.name = name
  }

  /** Calls `listener` each time from now on; the function it gives back ends that. */
  connect(listener: Listener): () => void {
    this.#listeners.add(listener)
    this.#count()
    return () => {
      this.#listeners.delete(listener)
      this.#count()
    }
  }

  /** Never throws and never waits for a listener's promise. */
  send(event: TaskEvent): void {
    for (const listener of this.#listeners) this.#tell(listener, event)
  }

  /** A plain property is read where a getter would be called, for every task. */
  #count(): void {
    Object.assign(this, { isHeard: this.#listeners.size > 0 })
  }

  #tell(listener: Listener, event: TaskEvent): void {
    try {
      const heard = listener(event)
      if (typeof heard === 'object' && heard !== null)
        void Promise.resolve(heard).catch((error: unknown) => this.#fault(event, error))
    } catch (error) {
      this.#fault(event, error)
    }
  }

  #fault({ result }: TaskEvent, error: unknown): void {
    log.error(`A listener of ${this.name} failed for task ${result.id}: ${briefly(error)}`)
  }
}

/** A task was handed to its backend. */
export const taskEnqueued = signal('taskEnqueued')
/** A worker is about to run a task. */
export const taskStarted = signal('taskStarted')
/** A task finished, and its outcome is stored. */
export const taskFinished = signal('taskFinished')

function signal(name: string): Signal {
  return onePerProcess(name, () => new Signal(name))
}
