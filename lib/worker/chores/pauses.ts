import type { Pause } from '../../browser'
import { clock, OVER } from '../../clock'
import { briefly } from '../../errors/error-record'
import { oneLine } from '../../errors/foreign-text'
import { log } from '../../events/logger'
import type { Chore, ClaimFilter, ClaimedRow, Store, Wakeup } from '../../store'
import { giveBack } from '../give-back'
import type { TaskPool } from '../pool/task-pool'
import { serves, type WorkerSettings } from '../worker-options'

/** Time in ms between two looks; it varies by the share, so that workers started together do not look together. */
const INTERVAL_MS = 1_000
const JITTER = 0.2

type Ask = NonNullable<Store['pausedQueues']>

/** The pauses of queues that this worker serves, by the queue. */
type Known = ReadonlyMap<string, Pause>

/**
 * Knows which queues are paused, looks for that about each second, and at once when it hears of one. What was claimed of a
 * queue and has not begun when it is paused is given back. While the database cannot tell, what was known last holds.
 */
export class Pauses implements Chore {
  readonly #ask: Ask
  readonly #store: Pick<Store, 'release'>
  readonly #pool: TaskPool
  readonly #settings: WorkerSettings
  readonly #onResumed: () => void
  #known: Known | undefined
  #failure: unknown
  #isFailing = false
  #looking: Promise<void> | undefined
  #isHeard = false
  #wake = (): void => {}
  /** What of a filter is not paused, made once for each filter: stores keep statements by it. */
  #served = new WeakMap<ClaimFilter, ClaimFilter | 'none'>()

  /** `onResumed`: a queue is served again, so there may be rows that are due. */
  constructor(
    ask: Ask,
    store: Pick<Store, 'release'>,
    pool: TaskPool,
    settings: WorkerSettings,
    onResumed: () => void,
  ) {
    this.#ask = ask
    this.#store = store
    this.#pool = pool
    this.#settings = settings
    this.#onResumed = onResumed
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look()
      if (!this.#isHeard) await this.#sleep(signal)
    }
    if (this.#settings.batch && this.paused.length > 0)
      log.info(`Paused, so not served by this batch: ${this.paused.join(', ')}.`)
  }

  hear(wakeup: Wakeup): void {
    if (wakeup.what !== 'pause') return
    this.#isHeard = true
    this.#wake()
  }

  get isKnown(): boolean {
    return this.#known !== undefined
  }

  /** Resolves when it is known which queues are paused. @throws what the store threw, if it could not tell yet. */
  async first(): Promise<void> {
    await this.#look()
    if (!this.isKnown) throw this.#failure
  }

  get paused(): readonly string[] {
    return [...(this.#known?.keys() ?? [])]
  }

  isPaused(queue: string): boolean {
    return this.#known?.has(queue) ?? false
  }

  /** The filter without the queues that are paused; null: none is left. */
  without(filter: ClaimFilter): ClaimFilter | null {
    const known = this.#known
    if (!known || known.size === 0) return filter
    const served = this.#served.get(filter) ?? this.#without(filter, [...known.keys()]) ?? 'none'
    this.#served.set(filter, served)
    return served === 'none' ? null : served
  }

  #without(filter: ClaimFilter, paused: readonly string[]): ClaimFilter | null {
    if (filter.queues !== null) {
      const queues = filter.queues.filter((queue) => !paused.includes(queue))
      return queues.length === 0 ? null : { ...filter, queues }
    }
    const excludeQueues = [...filter.excludeQueues, ...paused]
    // A backend that lists its queues has no others.
    const all = this.#pool.backend.settings.queues
    const isNoneLeft = all.length > 0 && all.every((queue) => excludeQueues.includes(queue))
    return isNoneLeft ? null : { ...filter, excludeQueues }
  }

  /** Never throws. While one is under way it is not repeated. */
  #look(): Promise<void> {
    this.#looking ??= this.#find().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #find(): Promise<void> {
    this.#isHeard = false
    try {
      const pauses = await this.#ask()
      this.#isFailing = false
      await this.#take(pauses)
    } catch (error) {
      this.#failure = error
      // Before the first answer the claim fails with it, and tells.
      if (this.isKnown && !this.#isFailing)
        log.warn(`It is not known at present which queues are paused: ${briefly(error)}`)
      this.#isFailing = this.isKnown
    }
  }

  async #take(pauses: readonly Pause[]): Promise<void> {
    const before = this.#known ?? new Map<string, Pause>()
    const now = new Map(
      pauses
        .filter((pause) => serves(this.#settings, pause.queue))
        .map((each) => [each.queue, each]),
    )
    const begun = [...now.values()].filter(({ queue }) => !before.has(queue))
    const ended = [...before.keys()].filter((queue) => !now.has(queue))
    this.#known = now
    if (begun.length === 0 && ended.length === 0) return
    this.#served = new WeakMap()
    for (const pause of begun) log.info(said(pause))
    for (const queue of ended) log.info(`Queue ${queue} is paused no more.`)
    if (ended.length > 0) this.#onResumed()
    const isPaused = ({ values }: ClaimedRow): boolean => now.has(values.queueName)
    await giveBack(this.#store, this.#pool.unstarted(0, isPaused))
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort(OVER)
    signal.addEventListener('abort', this.#wake, { once: true })
    const ms = INTERVAL_MS * (1 - JITTER + 2 * JITTER * Math.random())
    if (!signal.aborted) await clock.sleep(ms, woken.signal)
    signal.removeEventListener('abort', this.#wake)
    this.#wake = () => {}
  }
}

function said({ queue, at, until, reason }: Pause): string {
  const why = reason === null ? '' : ` (${oneLine(reason)})`
  const end = until === null ? '' : `, until ${until.toISOString()}`
  return `Queue ${queue} is paused since ${at.toISOString()}${end}${why}: its tasks wait.`
}
