import { clock, inTime, sharedByMany } from '../../clock'
import { LeaseLost } from '../../errors/run-errors'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { ClaimedTask } from '../pool/claimed-task'
import type { TaskPool } from '../pool/task-pool'
import type { Chore, Held, Renewed, Store } from '../../store'

/** Longest time in ms between two looks at what is due. */
const LOOK_MS = 500
/** The most rows of one renewal. */
const PORTION = 1_000

/** Renews the leases of all held rows every third of a lease. The answer tells which rows are lost, and which were cancelled. */
export class Leases implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  #signal: AbortSignal | undefined
  #renewedAt = clock.now()
  /** The renewal of all rows that is under way. */
  #renewing: Promise<void> = Promise.resolve()
  /** Keys of rows of which the database knows more than this worker. */
  #unsure = new Set<string>()
  #isAsking = false
  /** Tasks whose last renewal was answered with neither yes nor no. */
  #unknown = new Set<ClaimedTask>()

  /** From now on it also renews, at once, the rows that the pool is unsure of. */
  constructor(store: Store, pool: TaskPool) {
    this.#store = store
    this.#pool = pool
    pool.listen({
      unsure: (keys) => {
        for (const key of keys) this.#unsure.add(key)
        void this.#askForUnsure()
      },
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    // By one sleeper for each row whose lease is about to end.
    this.#signal = sharedByMany(signal)
    while (!signal.aborted) {
      await clock.sleep(Math.min(LOOK_MS, this.#periodMs), signal)
      if (this.#isDue) await this.renewAll()
      else await this.#renew(this.#held([...this.#unknown]))
    }
  }

  /** Renews the leases of all held rows; never throws. */
  async renewAll(): Promise<void> {
    this.#renewedAt = clock.now()
    // They are among those that are asked for.
    this.#unsure.clear()
    this.#renewing = this.#renew(this.#pool.held())
    await this.#renewing
  }

  /** Resolves when no renewal is due or under way: each held row has been renewed, or was given up. */
  async caughtUp(): Promise<void> {
    if (this.#isDue) void this.renewAll()
    await this.#renewing
  }

  /**
   * Together: all rows that were heard of in one turn of the event loop, or while the last answer was on its way. Leases that
   * are due go first: thousands of cancels at once must not keep others from their renewal.
   */
  async #askForUnsure(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    while (this.#unsure.size > 0) {
      await new Promise((resolve) => void setImmediate(resolve))
      if (this.#isDue) await this.renewAll()
      else await this.#renewing
      const keys = this.#unsure
      this.#unsure = new Set()
      if (keys.size > 0) await this.#renew(this.#pool.held().filter(({ row }) => keys.has(row.key)))
    }
    this.#isAsking = false
  }

  async #renew(tasks: readonly ClaimedTask[]): Promise<void> {
    const portions = Array.from({ length: Math.ceil(tasks.length / PORTION) }, (_, i) =>
      tasks.slice(i * PORTION, (i + 1) * PORTION),
    )
    await Promise.all(portions.map((portion) => this.#renewPortion(portion)))
  }

  async #renewPortion(tasks: readonly ClaimedTask[]): Promise<void> {
    const askedAt = clock.now()
    const doubted = new Set(tasks.filter(({ stage }) => stage === 'doubted'))
    const renewed = await this.#ask(tasks)
    if (!renewed) return this.#giveUpOverdue()
    const lost = new Map(renewed.lost.map((row) => [claimOf(row), row]))
    const cancelled = new Set(renewed.cancelled.map(claimOf))
    const unknown = new Set(renewed.unknown.map(claimOf))
    for (const task of tasks) {
      const claim = claimOf(task.row)
      if (unknown.has(claim)) {
        this.#unknown.add(task)
        continue
      }
      this.#unknown.delete(task)
      this.#pool.hear(task, {
        askedAt,
        wasDoubted: doubted.has(task),
        isCancelled: cancelled.has(claim),
        lost: lost.get(claim),
      })
    }
    if (unknown.size > 0) this.#giveUpOverdue()
  }

  async #ask(tasks: readonly ClaimedTask[]): Promise<Renewed | undefined> {
    const rows = tasks.map(({ row: { key, claims } }) => ({ key, claims }))
    try {
      // A statement that hangs must not keep the next one from being tried.
      return await inTime(this.#store.renew(rows), this.#periodMs)
    } catch (error) {
      log.warn(`The leases of ${tasks.length} task(s) could not be renewed: ${briefly(error)}`)
      return undefined
    }
  }

  /** Those of these tasks that this worker still has to renew. */
  #held(tasks: readonly ClaimedTask[]): ClaimedTask[] {
    const held = tasks.filter(({ stage, isLost }) => stage !== 'gone' && !isLost)
    if (held.length < tasks.length) this.#unknown = new Set(held)
    return held
  }

  get #isDue(): boolean {
    return clock.now() - this.#renewedAt >= this.#periodMs
  }

  get #leaseMs(): number {
    return this.#store.leaseSeconds * 1000
  }

  get #periodMs(): number {
    return this.#leaseMs / 3
  }

  /** After a whole lease without renewal another worker may have the row: the task is aborted, and stores nothing. */
  #giveUpOverdue(): void {
    for (const task of this.#pool.held()) {
      const leftMs = task.heldAt + this.#leaseMs - clock.now()
      if (leftMs <= 0) this.#giveUp(task)
      else if (leftMs < this.#periodMs)
        void clock
          .sleep(leftMs, this.#signal)
          .then(() => task.heldAt + this.#leaseMs <= clock.now() && this.#giveUp(task))
    }
  }

  #giveUp(task: ClaimedTask): void {
    if (task.stage === 'gone' || task.isLost) return
    log.warn(`${task.name}: lease not renewed in time: aborting; its result will be discarded`)
    task.stop(new LeaseLost())
  }
}

/** A claim as text: a store may give back copies of what it was handed. */
function claimOf({ key, claims }: Held): string {
  return `${key} ${claims}`
}
