import type { Chore } from '../../store'
import { clock } from '../../clock'
import type { Progress } from '../../row/record'
import type { TaskPool } from '../pool/task-pool'

/** Time in ms between two looks. */
const INTERVAL_MS = 200

/** A run that has reported progress, as it stands at that moment. */
export interface WatchedRun {
  readonly id: string
  readonly taskName: string
  /** How long this worker has it, in ms. */
  readonly ms: number
  readonly progress: Progress
}

/** Is called with all runs that have reported progress, and with none at the end. Must not throw. */
export type Watch = (runs: readonly WatchedRun[]) => void

/** Shows the progress of the running tasks to somebody who watches the worker. */
export class Watching implements Chore {
  readonly #pool: TaskPool
  readonly #watch: Watch

  constructor(pool: TaskPool, watch: Watch) {
    this.#pool = pool
    this.#watch = watch
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal)
      this.#watch(this.#runs())
    }
    this.#watch([])
  }

  #runs(): WatchedRun[] {
    return this.#pool.at('running').flatMap(({ reported: progress, row, takenAt }) => {
      const { id, taskName } = row.values
      const ms = clock.now() - takenAt
      return progress === null ? [] : [{ id, taskName, ms, progress }]
    })
  }
}
