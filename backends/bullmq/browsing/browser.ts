import type { TaskBackend } from '../../../lib/backend'
import type { FlowAround, QueueState, WorkerState } from '../../../lib/browser'
import { ListBrowser } from '../../../lib/browsing/list-browser'
import type { TaskResult } from '../../../lib/result'
import type { Connection } from '../connection'
import type { Job } from '../job'
import { flowAround } from './around'
import { type Place, prioritiseJobs, removeJobs } from './changes'
import { queueStates, workerStates } from './queues'

export interface Browsed extends Place {
  readonly backend: TaskBackend
  readonly within: <T>(work: (connection: Connection) => Promise<T>) => Promise<T>
  readonly resultOf: (job: Job) => TaskResult<unknown>
}

/** What a dashboard looks through: tasks and their history by lists, the rest by what BullMQ and the workers keep. */
export class RedisBrowser extends ListBrowser {
  readonly #browsed: Browsed

  constructor(browsed: Browsed) {
    super(browsed.backend)
    this.#browsed = browsed
  }

  override async queues(): Promise<readonly QueueState[]> {
    const { backend, queues, within } = this.#browsed
    const [pauses, workers, now] = await Promise.all([
      backend.pausedQueues(),
      this.workers(),
      this.now(),
    ])
    return within((connection) => queueStates(connection, queues, { pauses, workers, now }))
  }

  override workers(): Promise<readonly WorkerState[]> {
    return this.#browsed.within(workerStates)
  }

  override flow(id: string): Promise<FlowAround | null> {
    return this.#browsed.within((connection) => flowAround(connection, id, this.#browsed))
  }

  override remove(ids: readonly string[]): Promise<readonly string[]> {
    return this.#browsed.within((connection) => removeJobs(connection, this.#browsed, ids))
  }

  override prioritise(ids: readonly string[], priority: number): Promise<readonly string[]> {
    return this.#browsed.within((connection) =>
      prioritiseJobs(connection, this.#browsed, ids, priority),
    )
  }
}
