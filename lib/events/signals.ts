import type { TaskBackend } from '../backend'
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
export class Signal {
  readonly name: string
  readonly #listeners = new Set<Listener>()

  constructor(name: string) {
    this.name = name
  }

  /** Calls `listener` each time from now on; the function it gives back ends that. */
  connect(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Whether anybody listens: who sends much can spare the event. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  /** Never throws and never waits for a listener's promise. */
  send(event: TaskEvent): void {
    for (const listener of this.#listeners) this.#tell(listener, event)
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
export const taskEnqueued = new Signal('taskEnqueued')
/** A worker is about to run a task. */
export const taskStarted = new Signal('taskStarted')
/** A task finished, and its outcome is stored. */
export const taskFinished = new Signal('taskFinished')
