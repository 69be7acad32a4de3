import type { TaskBackend } from '../backend'
import { Backlog } from './chores/return-unstarted'
import { clock } from '../clock'
import { briefly } from '../errors/error-record'
import { log } from '../events/logger'
import { TasksError } from '../errors/errors'
import { WorkerStops } from '../errors/run-errors'
import { LeaseLost } from '../errors/run-errors'
import { ABORT_GRACE } from '../execution/abort'
import { Children } from '../isolation/process-pool'
import { Leases } from './chores/leases'
import { Looks } from './polling'
import { Pace } from './prefetch'
import { Rescuer } from './chores/rescuer'
import { Slots } from './task-pool'
import type { Exchange, Hint, Store } from '../store'
import type { Wish } from './worker-options'

/** A worker that cannot reach the database asks again after this many milliseconds at first, at most `SLOWEST_RETRY`. */
const FIRST_RETRY = 100
const SLOWEST_RETRY = 10_000
/** How often a batch worker, which nobody watches, tries before it gives up. */
const BATCH_TRIES = 5
/** So long may the connection take to close. */
const CLOSING = 3_000
/** So long may a forced end take to give rows back. */
const LAST_WORDS = 500

/** What a worker did, in the end. */
export interface WorkerReport {
  /** Runs that were started. */
  readonly started: number
  /** Runs that did not end in time at a stop; their rows were given back. */
  readonly abandoned: number
}

/** Claims rows, runs them side by side, hands in what came of them. */
export class Worker {
  readonly #store: Store
  readonly #wish: Wish
  readonly #slots: Slots
  readonly #leases: Leases
  readonly #backlog: Backlog
  readonly #rescuer: Rescuer
  readonly #pace = new Pace()
  readonly #looks = new Looks()
  readonly #stopping = new AbortController()
  #failures = 0

  constructor(backend: TaskBackend, store: Store, wish: Wish) {
    this.#store = store
    this.#wish = wish
    this.#slots = new Slots(
      backend,
      wish.concurrency,
      wish.isolation && new Children(wish.isolation),
    )
    this.#leases = new Leases(store, this.#slots)
    this.#backlog = new Backlog(store, this.#slots)
    this.#rescuer = new Rescuer(store, () => this.#leases.caughtUp())
  }

  /** No more claims; what runs is finished first. */
  stop(): void {
    this.#stopping.abort()
  }

  /** What the store hears before it is asked. */
  hear(hint: Hint): void {
    if (hint.what === 'cancel') return void this.#leases.hear(hint.key)
    if (!wants(this.#wish, hint.queue)) return
    this.#looks.tell()
    this.#slots.wake()
  }

  /** Gives all rows back at once, if the database answers soon: for a process that is about to end. */
  async leave(): Promise<void> {
    this.stop()
    const rows = await this.#slots.abandon()
    await Promise.race([this.#store.release(rows).catch(() => 0), clock.sleep(LAST_WORDS)])
  }

  /** Runs until stopped, or in a batch until nothing is left; rejects when a batch cannot reach its database, and with what cannot succeed. */
  async run(): Promise<WorkerReport> {
    log.info(
      `Starting worker worker_id=${this.#wish.workerId} queues=${this.#wish.queues?.join(',') ?? '*'}`,
    )
    const chores = [this.#leases.keep(), this.#backlog.watch(), this.#rescuer.watch()]
    try {
      await clock.sleep(this.#wish.startupDelay * Math.random(), this.#stopping.signal)
      await this.#work()
      const abandoned = await this.#drain()
      return { started: this.#slots.started, abandoned }
    } catch (error) {
      // What cannot succeed, like a table that is gone: nothing of what runs could be written.
      this.#slots.stop(new LeaseLost())
      throw error
    } finally {
      this.#rescuer.close()
      this.#backlog.close()
      this.#leases.close()
      await this.#close(chores)
    }
  }

  /** A database that does not answer must not keep the process. */
  async #close(chores: readonly Promise<void>[]): Promise<void> {
    const done = new AbortController()
    const closing = Promise.all([...chores, this.#slots.close()]).then(() => this.#store.close())
    await Promise.race([closing, clock.sleep(CLOSING, done.signal)]).finally(() => done.abort())
  }

  async #work(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const room = this.#room()
      const claimed = await this.#exchange(room)
      if (this.#isDone(claimed)) break
      await this.#rest(claimed, claimed === room)
    }
  }

  /** Hands in and claims; gives the number claimed, or undefined when the database could not be reached. */
  async #exchange(room = this.#room()): Promise<number | undefined> {
    const outcomes = this.#slots.outcomes()
    this.#looks.begin()
    const asked = clock.now()
    try {
      const answer = this.#store.exchange(outcomes, room, this.#wish)
      // Tasks run while the database is at work.
      this.#slots.start()
      const exchange = await answer
      this.#pace.measure(asked, outcomes.length)
      this.#looks.end(outcomes, room, exchange.claimed.length)
      await this.#take(exchange, asked)
      this.#failures = 0
      return exchange.claimed.length
    } catch (error) {
      this.#slots.pause()
      if (error instanceof TasksError) throw error
      this.#failures++
      log.error(
        `The database did not answer (${this.#failures}): ${error instanceof Error ? error.message : String(error)}`,
      )
      if (this.#wish.batch && this.#failures >= BATCH_TRIES) throw error
      return undefined
    }
  }

  async #take({ kept, claimed }: Exchange, asked: number): Promise<void> {
    const areDoubted = this.#slots.settle(kept)
    this.#slots.take(this.#stopping.signal.aborted ? [] : claimed, asked)
    if (this.#stopping.signal.aborted) await this.#store.release(claimed)
    // What was not kept is lost or was cancelled; a renewal tells which.
    if (areDoubted) await this.#leases.renewAll()
  }

  #room(): number {
    if (this.#stopping.signal.aborted) return 0
    const { ahead } = this.#pace
    const { concurrency, maxTasks } = this.#wish
    // Half of what fits in, where rows are claimed ahead: one half runs while the database is at work for the other.
    const half = Math.max(concurrency, Math.ceil((concurrency + ahead) / 2))
    return Math.max(0, Math.min(this.#slots.free + ahead, half, maxTasks - this.#slots.taken))
  }

  #isDone(claimed: number | undefined): boolean {
    if (this.#slots.taken >= this.#wish.maxTasks) {
      log.info(`Run maximum tasks (${this.#wish.maxTasks})`)
      return true
    }
    if (!this.#wish.batch || claimed !== 0 || this.#slots.busy > 0 || this.#looks.isTold)
      return false
    log.info(`No more tasks to run for worker_id=${this.#wish.workerId}. Exiting gracefully.`)
    return true
  }

  /** Until something finished, the worker is stopped, or it is time to ask again: at once, where there was all that was asked for. */
  async #rest(claimed: number | undefined, wasFull: boolean): Promise<void> {
    if (claimed === undefined)
      return clock.sleep(
        Math.min(SLOWEST_RETRY, FIRST_RETRY * 2 ** this.#failures) * (0.5 + Math.random()),
        this.#stopping.signal,
      )
    const isFull = this.#room() === 0
    // What has just come starts when what has ended, and the wish for more, are on their way.
    if (this.#slots.hasOutcomes || (wasFull && !isFull)) return turn()
    this.#slots.start()
    // A full worker asks again only when a task has finished. A batch does not wait for that: what runs may wait for what it enqueued.
    const patience = isFull ? Number.POSITIVE_INFINITY : this.#looks.patience(this.#wish.interval)
    if (isFull || !this.#looks.isTold) await this.#slots.change(patience, this.#stopping.signal)
    // All that ends in this turn of the event loop goes with one statement.
    await turn()
  }

  /** Finishes what runs; once stopped, asks it to end after `shutdownTimeout`, and at last gives the rows back. */
  async #drain(): Promise<number> {
    if (!this.#stopping.signal.aborted) this.#slots.start()
    await this.#handIn(Number.POSITIVE_INFINITY, this.#stopping.signal)
    this.stop()
    await this.#backlog.giveBack()
    await this.#handIn(this.#wish.shutdownTimeout)
    if (this.#slots.busy > 0) {
      this.#slots.stop(new WorkerStops())
      await this.#handIn(ABORT_GRACE)
    }
    return this.#giveBack()
  }

  async #handIn(patience: number, signal?: AbortSignal): Promise<void> {
    const deadline = clock.now() + patience
    while (this.#slots.busy > 0 && clock.now() < deadline && !signal?.aborted) {
      if (!this.#slots.hasOutcomes) await this.#slots.change(deadline - clock.now(), signal)
      else if ((await this.#exchange()) === undefined) await clock.sleep(FIRST_RETRY)
    }
  }

  async #giveBack(): Promise<number> {
    const abandoned = await this.#slots.abandon()
    const rows = [...this.#slots.givenUp, ...abandoned]
    for (const { values } of rows)
      log.warn(`Task id=${values.id} path=${values.taskName} has not finished and is given back`)
    await this.#store
      .release(rows)
      .catch((error: unknown) => log.error(`Rows could not be given back: ${briefly(error)}`))
    return abandoned.length
  }
}

/** Timers, signals and other work of the process come in between, also where the database answers in the same turn, as SQLite does. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

function wants({ queues, excludeQueues }: Wish, queue: string): boolean {
  return queues === null ? !excludeQueues.includes(queue) : queues.includes(queue)
}
