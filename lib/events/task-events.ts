import type { TaskBackend } from '../backend'
import { briefly, type ErrorRecord } from '../errors/error-record'
import { heard, log } from './logger'
import { TaskResult } from '../result'
import type { ClaimedRow, Outcome } from '../store'

/** What a listener hears: the result as it stands at that moment, and the backend that holds it. */
export interface TaskEvent {
  readonly backend: TaskBackend
  readonly result: TaskResult<unknown>
}

export type Listener = (event: TaskEvent) => unknown

/** Something that happened to a task. Listeners only watch: their faults are logged and change no task's fate. */
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

  /** A field, not a getter, since it is looked at for each task. */
  #count(): void {
    Object.assign(this, { isHeard: this.#listeners.size > 0 })
  }

  #tell(listener: Listener, event: TaskEvent): void {
    try {
      const given = listener(event)
      if (typeof given === 'object' && given !== null)
        void Promise.resolve(given).catch((error: unknown) => this.#fault(event, error))
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

type Named = Pick<TaskResult<unknown>, 'id' | 'taskName'>

/** Django's line for each state a task enters: `Task id=… path=… state=RUNNING`. */
export function logState(
  { id, taskName }: Named,
  state: 'RUNNING' | 'SUCCESSFUL' | 'FAILED',
  error?: ErrorRecord,
): void {
  if (state !== 'FAILED' && !heard.info) return
  const line = `Task id=${id} path=${taskName} state=${state}`
  if (state === 'FAILED') log.error(`${line} error=${error?.traceback.split('\n')[0] ?? ''}`)
  else log.info(line)
}

/** A failed run that is to be tried again. */
function logRetry(result: TaskResult<unknown>, delay: number | null): void {
  log.warn(
    `Task id=${result.id} path=${result.taskName} state=READY attempt=${result.attempts} retry_in=${delay ?? 0}ms error=${result.errors.at(-1)?.traceback.split('\n')[0] ?? ''}`,
  )
}

export function logEnqueued({
  id,
  taskName,
  backend,
}: Pick<TaskResult<unknown>, 'id' | 'taskName' | 'backend'>): void {
  log.debug(`Task id=${id} path=${taskName} enqueued backend=${backend}`)
}

/** The outcome of a run is stored: tells the log, and the listeners of `taskFinished` if it is final. */
export function tellOutcome(backend: TaskBackend, row: ClaimedRow, outcome: Outcome): void {
  const result = (): TaskResult<unknown> =>
    new TaskResult<unknown>(backend, () => ({
      ...row.values,
      status: outcome.status,
      finishedAt: new Date(),
      ...changesOf(outcome, row),
    }))
  if (outcome.status === 'READY') return logRetry(result(), outcome.delay)
  logState(row.values, outcome.status, outcome.status === 'FAILED' ? outcome.error : undefined)
  if (taskFinished.isHeard) taskFinished.send({ backend, result: result() })
}

function changesOf(outcome: Outcome, row: ClaimedRow): object {
  if (outcome.status === 'SUCCESSFUL')
    return {
      returnValue:
        outcome.returnValue === null ? null : (JSON.parse(outcome.returnValue) as unknown),
    }
  return { errors: [...row.values.errors, outcome.error] }
}
