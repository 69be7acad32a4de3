/** Where a worker is in its life. */
export type WorkerState = 'running' | 'stopping' | 'ended' | 'failed'

/** How a worker is, for probes of whoever restarts processes and sends them work. It holds nothing of tasks. */
export interface WorkerHealth {
  /**
   * Its loop goes on. False: start the process again. It is not false because the database is away, or a task takes long, or
   * the worker stops. A process whose event loop is blocked cannot say it.
   */
  readonly live: boolean
  /** It takes tasks: it has started, its database answered last, and it is not stopping. */
  readonly ready: boolean
  /** It has asked for tasks, and was answered. */
  readonly started: boolean
  /** Sentences that say why it is not live, or not ready; empty if it is both. */
  readonly problems: readonly string[]
  readonly state: WorkerState
  /** Its name in `workerIds`. */
  readonly workerId: string
  /** When the worker was started, by the clock of its host, as all times here. */
  readonly startedAt: Date
  /** How many tasks run. */
  readonly running: number
  /** When it was last answered, as it asked for tasks or handed in what came of them; null: not yet. */
  readonly lastExchangeAt: Date | null
  /** The 99th percentile, in milliseconds, of how late the event loop was within some seconds. */
  readonly eventLoopDelayMs: number
  /** `'away'` if its last statement was not answered, or refused as a whole, as without the table. */
  readonly database: 'up' | 'away'
  /** Since when that is so. */
  readonly databaseSince: Date
  /** The queues that it serves and that are paused. */
  readonly paused: readonly string[]
}
