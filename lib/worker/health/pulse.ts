import { clock } from '../../clock'
import type { Chore, Store } from '../../store'
import type { TaskPool } from '../pool/task-pool'
import { ProcessLoad } from '../process-load'
import type { ClaimingStore } from '../stores/claiming-store'
import type { WorkerSettings } from '../worker-options'
import { hearing, pacing } from './watched'
import type { WorkerHealth, WorkerState } from './worker-health'

/** Time in ms between two looks at the loop. */
const LOOK_MS = 1_000
/** So many looks share one measurement of the event loop. */
const LOOKS_A_MEASUREMENT = 5
/** Intervals, and time in ms on top of them, in which a loop with nothing to wait for has to ask for tasks. */
const INTERVALS = 3
const SLACK_MS = 5_000
/** The same after a failure: longer than the longest delay before the database is asked again. */
const RETRY_MS = 20_000
/** Longer than stores let an exchange take, with all that they try again. */
const EXCHANGE_MS = 60_000

/** What a pulse needs to know of its worker. */
export interface Pulsing {
  /** It takes no more rows until a task ends. */
  isFull(): boolean
  paused(): readonly string[]
}

/** Follows whether the loop of a worker goes on, and whether its database answers. It asks nothing of the database. */
export class Pulse implements Chore {
  readonly #pool: TaskPool
  readonly #settings: WorkerSettings
  readonly #worker: Pulsing
  readonly #load = new ProcessLoad()
  #eventLoopDelayMs = 0
  #startedAt = new Date()
  #underWay = 0
  #hasAdvanced = false
  /**
   * How long the loop has not advanced, in ms. Counted by looks, since a process that stands still, or is blocked, has no time to
   * advance either.
   */
  #stillMs = 0
  #lastExchangeAt: Date | null = null
  /** The last exchange failed. Where there is no room for more, leases are still renewed. */
  #isRefused = false
  #isUp = true
  #isUpSince = new Date()

  constructor(pool: TaskPool, settings: WorkerSettings, worker: Pulsing) {
    this.#pool = pool
    this.#settings = settings
    this.#worker = worker
  }

  /** The store that worker and chores use; only what is asked by it is known here. */
  hearing(store: Store): Store {
    return hearing(store, {
      exchange: (isAnswered) => {
        this.#isRefused = !isAnswered
        this.#hear(isAnswered)
      },
      renewal: (isAnswered) => this.#hear(isAnswered && !this.#isRefused),
    })
  }

  /** The store of the loop. */
  pacing(store: ClaimingStore): ClaimingStore {
    const begin = (): void => {
      this.#underWay++
      this.#hasAdvanced = true
    }
    return pacing(store, begin, (isAnswered) => {
      this.#underWay--
      this.#hasAdvanced = true
      if (isAnswered) this.#lastExchangeAt = new Date()
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#startedAt = new Date()
    this.#load.start()
    for (let looks = 1; !signal.aborted; looks++) {
      await clock.sleep(LOOK_MS, signal)
      this.#look()
      if (looks % LOOKS_A_MEASUREMENT === 0)
        this.#eventLoopDelayMs = this.#load.take().eventLoopDelayMs
    }
    this.#load.stop()
  }

  health(state: WorkerState): WorkerHealth {
    // What has advanced since the last look, as when the database is back, does not stand, however long it stood before.
    const isStanding = state === 'running' && !this.#hasAdvanced && this.#stillMs > this.#patienceMs
    const started = this.#lastExchangeAt !== null
    const problems = [
      ...SAID[state],
      ...(isStanding
        ? [`Its loop has stood still for ${Math.round(this.#stillMs / 1000)} s.`]
        : []),
      ...(state === 'running' && !started
        ? ['It has had no answer yet as it asked for tasks.']
        : []),
      ...(this.#isUp
        ? []
        : [`Its backend has not answered since ${this.#isUpSince.toISOString()}.`]),
    ]
    return {
      live: state !== 'failed' && !isStanding,
      ready: problems.length === 0,
      started,
      problems,
      state,
      workerId: this.#settings.workerId,
      startedAt: this.#startedAt,
      running: this.#pool.at('running').length + this.#pool.at('committing').length,
      lastExchangeAt: this.#lastExchangeAt,
      eventLoopDelayMs: this.#eventLoopDelayMs,
      database: this.#isUp ? 'up' : 'away',
      databaseSince: this.#isUpSince,
      paused: this.#worker.paused(),
    }
  }

  #hear(isAnswered: boolean): void {
    if (isAnswered === this.#isUp) return
    this.#isUp = isAnswered
    this.#isUpSince = new Date()
  }

  #look(): void {
    // It rests for as long as its tasks run.
    const isResting = this.#pool.ended === 0 && this.#worker.isFull()
    this.#stillMs = this.#hasAdvanced || isResting ? 0 : this.#stillMs + LOOK_MS
    this.#hasAdvanced = false
  }

  /** How long the loop may take, in ms, to advance. */
  get #patienceMs(): number {
    const { interval, startupDelay, batch } = this.#settings
    // A batch waits for its chores before it ends.
    if (this.#underWay > 0 || batch) return EXCHANGE_MS
    const restMs = Math.max(INTERVALS * interval + SLACK_MS, this.#isUp ? 0 : RETRY_MS)
    return this.#lastExchangeAt === null ? restMs + startupDelay : restMs
  }
}

const SAID: Readonly<Record<WorkerState, readonly string[]>> = {
  running: [],
  stopping: ['It is stopping.'],
  ended: ['It has ended.'],
  failed: ['It has failed; its log says why.'],
}
