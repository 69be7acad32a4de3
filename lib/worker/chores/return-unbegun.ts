import { clock } from '../../clock'
import { log } from '../../events/logger'
import { briefly } from '../../errors/error-record'
import type { Chore, Store } from '../../store'
import type { ClaimedTask } from '../pool/claimed-task'
import type { TaskPool } from '../pool/task-pool'
import type { UnknownTasks } from '../unknown-tasks'

/** Shortest and longest delay in ms until a row that is given back may be claimed again. */
const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 10_000
/** The delay varies by this share, so that the rows do not all come back at once. */
const JITTER = 0.2
/** After this time in ms without a row to give back, the next one is a new trouble. */
const QUIET_MS = 2 * LONGEST_DELAY_MS
/** Pause in ms after rows could not be given back. */
const RETRY_MS = 500

/**
 * Gives back rows that trouble of the set-up kept from running, or whose task is not defined here, with a delay that grows
 * as the trouble lasts. Until that is
 * done they stay in the pool, so that their leases are renewed: an ended lease would count as a crash.
 */
export class ReturnUnbegun implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  #since = Number.NEGATIVE_INFINITY
  #latest = Number.NEGATIVE_INFINITY
  #tasks: ClaimedTask[] = []
  #wake = (): void => {}

  /** From now on the tasks of the pool that could not begin are its own. `unknown`: null where a task that is not defined fails at once. */
  constructor(store: Store, pool: TaskPool, unknown: UnknownTasks | null) {
    this.#store = store
    this.#pool = pool
    pool.mayBeKnownElsewhere = (row) => unknown?.mayWait(row) ?? false
    pool.giveBackUnbegun = (task, error) => {
      task.watch.end('not_begun', error)
      const reason = error?.traceback.split('\n')[0]
      if (reason) log.warn(`${task.name} could not begin and is given back: ${reason}`)
      this.#tasks.push(task)
      this.#wake()
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      if (this.#tasks.length === 0) await new Promise<void>((wake) => (this.#wake = wake))
      else if (!(await this.#giveBack(this.#tasks))) await clock.sleep(RETRY_MS, signal)
      this.#tasks = this.#tasks.filter(({ stage }) => stage !== 'gone')
    }
  }

  /** False if the database did not take them back; never throws. */
  async #giveBack(given: readonly ClaimedTask[]): Promise<boolean> {
    const tasks = given.filter(({ stage }) => stage !== 'gone')
    const delay = this.#delay()
    try {
      await this.#store.release(
        tasks.map(({ row }) => row),
        delay,
      )
      for (const task of tasks) if (task.stage !== 'gone') this.#pool.move(task, 'gone')
      return true
    } catch (error) {
      log.warn(
        `${tasks.length} task(s) that could not begin could not be given back: ${briefly(error)}`,
      )
      return false
    }
  }

  /** As long as the trouble has lasted, within limits. */
  #delay(): number {
    const now = clock.now()
    if (now - this.#latest > QUIET_MS) this.#since = now
    this.#latest = now
    const delay = Math.min(LONGEST_DELAY_MS, Math.max(FIRST_DELAY_MS, now - this.#since))
    return Math.round(delay * (1 - JITTER + 2 * JITTER * Math.random()))
  }
}
