import type { QueryRunner } from 'typeorm'
import { clock } from '../../../lib/clock'
import { inTime, NoAnswer } from '../../../lib/timeout'
import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import type { Connections, Work } from './trusted-pool'
import { isContention } from './retry-contention'
import { closing, discard, isOpen } from './driver-connection'

/** Milliseconds until a lost connection is made anew, at first and at most. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 10_000
const OPENING = 10_000
const SETTING_UP = 2_000

/** What is to be set up on the connection each time it is made; if that is refused or left unanswered, all goes on without. */
export type SetUp = (runner: QueryRunner) => Promise<void>

/** One connection that is kept between uses, and made anew when it is lost. */
export class HeldConnection {
  readonly #connections: Connections
  readonly #closed = new AbortController()
  readonly #setUp: SetUp | undefined
  #runner: QueryRunner | undefined
  #opening: Promise<QueryRunner> | undefined
  #isBusy = false

  /** With `setUp` the connection is made and held also while nobody uses it. */
  constructor(connections: Connections, setUp?: SetUp) {
    this.#connections = connections
    this.#setUp = setUp
    if (setUp) void this.#keep()
  }

  /** Runs `work` on it within `ms` milliseconds; on another connection, while it is in use. */
  async use<T>(ms: number, work: Work<T>): Promise<T> {
    if (this.#isBusy) return this.#connections.use(ms, work)
    this.#isBusy = true
    const deadline = clock.now() + ms
    let runner: QueryRunner | undefined
    try {
      runner = await inTime(this.#current(ms), ms)
      return await this.#connections.run(runner, deadline - clock.now(), work)
    } catch (error) {
      if (!isContention(error) && this.#runner === runner) await this.#drop()
      throw error
    } finally {
      this.#isBusy = false
    }
  }

  async close(): Promise<void> {
    this.#closed.abort()
    const runner = this.#runner
    this.#runner = undefined
    if (runner) await this.#connections.giveBack(runner)
  }

  async #current(ms: number): Promise<QueryRunner> {
    const runner = this.#runner
    if (runner && (await isOpen(runner)) && (await this.#connections.isTrusted(runner)))
      return runner
    this.#opening ??= this.#open(ms).finally(() => (this.#opening = undefined))
    return this.#opening
  }

  async #open(ms: number, setUp = this.#setUp): Promise<QueryRunner> {
    await this.#drop()
    const runner = await this.#connections.take(ms)
    if (setUp && !(await this.#isSetUp(runner, setUp))) {
      await this.#connections.giveBack(runner)
      return this.#open(ms, async () => {})
    }
    if (this.#closed.signal.aborted) await discard(runner)
    return (this.#runner = runner)
  }

  /** False where another connection is needed, since nobody knows what this one is at. */
  async #isSetUp(runner: QueryRunner, setUp: SetUp): Promise<boolean> {
    try {
      await this.#connections.run(runner, SETTING_UP, setUp)
    } catch (error) {
      log.debug(`The worker hears nothing before it asks: ${briefly(error)}`)
      return !(error instanceof NoAnswer) && isOpen(runner)
    }
    return true
  }

  async #drop(): Promise<void> {
    const runner = this.#runner
    this.#runner = undefined
    if (runner && !runner.isReleased) await discard(runner)
  }

  async #keep(): Promise<void> {
    for (
      let pause = FIRST_PAUSE;
      !this.#closed.signal.aborted;
      pause = Math.min(LONGEST_PAUSE, 2 * pause)
    ) {
      try {
        await closing(await this.#current(OPENING))
        pause = FIRST_PAUSE
      } catch (error) {
        log.debug(`The connection of the worker cannot be made: ${briefly(error)}`)
      }
      await clock.sleep(pause * (0.5 + Math.random()), this.#closed.signal)
    }
  }
}
