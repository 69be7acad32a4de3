import type { DataSource, QueryRunner } from 'typeorm'
import { clock, inTime, NoAnswer } from '../../../lib/clock'
import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import { isContention, isReadOnly, isRefusal, isSilence } from './database-errors'
import {
  cancelStatement,
  closing,
  discard,
  isOpen,
  socketOf,
  type Stream,
} from './driver-connection'
import { profileOf } from '../profiles/profile-of'
import { type Lend, Session } from './session'

/** Limit in ms for a statement of a worker, connecting included. */
export const STATEMENT_MS = 10_000
/** The same for statements that read the whole table. */
const WALK_MS = 10 * 60_000
const SET_UP_MS = 2_000
/** Delay in ms before a lost connection is made again; doubles up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** A worker's own statements by their kind, each with its time limit. */
export interface Sessions {
  /** Claims and finishes. */
  readonly exchange: Session
  readonly renewal: Session
  readonly chore: Session
  /** Pruning and counting. */
  readonly walk: Session
}

type Work<T> = (runner: QueryRunner) => Promise<T>

/** Prepares the dedicated connection each time it is made. If that fails or takes too long, the worker continues without. */
export type SetUp = (runner: QueryRunner) => Promise<void>

/**
 * Sessions on the connections of a worker's own pool. The reply to a claim is worthless once its lease has ended. A
 * renewal must leave time before that for a second one, on a connection that works.
 */
export function sessionsOn(connections: WorkerConnections, leaseMs: number): Sessions {
  const { dataSource } = connections
  const session = (lend: Lend): Session => new Session(dataSource, undefined, lend)
  const limit = Math.min(STATEMENT_MS, leaseMs)
  return {
    exchange: session((work) => connections.useDedicated(limit, work)),
    renewal: session((work) => connections.use(Math.min(STATEMENT_MS, leaseMs / 3), work)),
    chore: session((work) => connections.use(limit, work)),
    walk: session((work) => connections.use(WALK_MS, work)),
  }
}

/**
 * The connections of a worker's own pool, one of them dedicated, that is kept between uses. Every use has a time limit. A
 * connection that has not answered by then, or leads to a read-only server, is closed, and so are all others made
 * before that moment, as soon as they are used: they take the same way through the network. New ones resolve the server's
 * name again.
 */
export class WorkerConnections {
  readonly dataSource: DataSource
  readonly #setUp: SetUp | undefined
  readonly #closed = new AbortController()
  /** Counts such failures; a connection is trusted if it was made after the latest one. */
  #generation = 0
  readonly #madeIn = new WeakMap<object, number>()
  #dedicated: QueryRunner | undefined
  /** Its socket: looked at before each use, and asked of the driver once. */
  #socket: Stream | undefined
  #opening: Promise<QueryRunner> | undefined
  #isDedicatedBusy = false

  /** With `setUp` the dedicated connection is made and kept also while it is not used. */
  constructor(dataSource: DataSource, setUp?: SetUp) {
    this.dataSource = dataSource
    this.#setUp = setUp
    if (setUp) void this.#keepDedicated()
  }

  /** Runs `work` on any connection of the pool, within `ms` milliseconds. @throws NoAnswer */
  async use<T>(ms: number, work: Work<T>): Promise<T> {
    const deadline = clock.now() + ms
    const runner = await this.#take(ms)
    try {
      return await this.#run(runner, deadline - clock.now(), work)
    } finally {
      await this.#giveBack(runner)
    }
  }

  /** Runs `work` on the dedicated connection within `ms` milliseconds; on another one while that is in use. @throws NoAnswer */
  async useDedicated<T>(ms: number, work: Work<T>): Promise<T> {
    if (this.#isDedicatedBusy) return this.use(ms, work)
    this.#isDedicatedBusy = true
    const deadline = clock.now() + ms
    let runner: QueryRunner | undefined
    try {
      runner = await inTime(this.#openDedicated(ms), ms)
      return await this.#run(runner, deadline - clock.now(), work)
    } catch (error) {
      if (!isContention(error) && this.#dedicated === runner) await this.#dropDedicated()
      throw error
    } finally {
      this.#isDedicatedBusy = false
    }
  }

  /** Gives the dedicated connection back to the pool. */
  async close(): Promise<void> {
    this.#closed.abort()
    const runner = this.#dedicated
    this.#dedicated = undefined
    if (runner) await this.#giveBack(runner)
  }

  /** A runner whose connection stands and is trusted. */
  async #take(ms: number): Promise<QueryRunner> {
    for (;;) {
      const runner = this.dataSource.createQueryRunner()
      const connecting = Promise.resolve(runner.connect())
      try {
        await inTime(connecting, ms)
      } catch (error) {
        // The connection may still come, and would then never be released.
        void connecting.then(() => runner.release()).catch(() => {})
        throw error
      }
      if (await this.#isReady(runner, ms)) return runner
      await discard(runner)
    }
  }

  async #run<T>(runner: QueryRunner, ms: number, work: Work<T>): Promise<T> {
    try {
      return await inTime(work(runner), ms)
    } catch (error) {
      if (isSilence(error)) await cancelStatement(runner)
      if (isSilence(error) || isReadOnly(error)) this.#generation++
      throw error
    }
  }

  /** Whether the connection is trusted; a new one is set up first. */
  async #isReady(runner: QueryRunner, ms: number): Promise<boolean> {
    const { setUp } = profileOf(this.dataSource.options.type)
    const isNew = !this.#madeIn.has((await runner.connect()) as object)
    if (!(await this.#isTrusted(runner))) return false
    if (isNew && setUp !== undefined)
      await this.#run(runner, ms, () => runner.query(setUp)).catch((error: unknown) => {
        // A server that has no such setting works without it.
        if (!isRefusal(error)) throw error
      })
    return true
  }

  async #isTrusted(runner: QueryRunner): Promise<boolean> {
    const connection = (await runner.connect()) as object
    const madeIn = this.#madeIn.get(connection) ?? this.#generation
    this.#madeIn.set(connection, madeIn)
    return madeIn === this.#generation
  }

  async #giveBack(runner: QueryRunner): Promise<void> {
    if (runner.isReleased) return
    await ((await this.#isTrusted(runner)) ? runner.release() : discard(runner))
  }

  async #openDedicated(ms: number): Promise<QueryRunner> {
    const runner = this.#dedicated
    const isClosed = runner?.isReleased || this.#socket?.destroyed
    if (runner && !isClosed && (await this.#isTrusted(runner))) return runner
    this.#opening ??= this.#replaceDedicated(ms).finally(() => (this.#opening = undefined))
    return this.#opening
  }

  async #replaceDedicated(ms: number, setUp = this.#setUp): Promise<QueryRunner> {
    await this.#dropDedicated()
    const runner = await this.#take(ms)
    if (setUp && !(await this.#isSetUp(runner, setUp))) {
      await this.#giveBack(runner)
      return this.#replaceDedicated(ms, async () => {})
    }
    this.#socket = await socketOf(runner)
    if (this.#closed.signal.aborted) await discard(runner)
    return (this.#dedicated = runner)
  }

  /** False if the connection's state is unknown and it must be replaced. */
  async #isSetUp(runner: QueryRunner, setUp: SetUp): Promise<boolean> {
    try {
      await this.#run(runner, SET_UP_MS, setUp)
    } catch (error) {
      log.debug(`LISTEN is not available, polling only: ${briefly(error)}`)
      return !(error instanceof NoAnswer) && isOpen(runner)
    }
    return true
  }

  async #dropDedicated(): Promise<void> {
    const runner = this.#dedicated
    this.#dedicated = undefined
    if (runner && !runner.isReleased) await discard(runner)
  }

  async #keepDedicated(): Promise<void> {
    const { signal } = this.#closed
    for (let pause = FIRST_PAUSE_MS; !signal.aborted;) {
      try {
        await closing(await this.#openDedicated(STATEMENT_MS))
        pause = FIRST_PAUSE_MS
      } catch (error) {
        log.debug(`The worker's connection cannot be made: ${briefly(error)}`)
      }
      await clock.sleep(pause * (0.5 + Math.random()), signal)
      pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)
    }
  }
}
