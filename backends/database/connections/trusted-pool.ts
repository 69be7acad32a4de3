import type { DataSource, QueryRunner } from 'typeorm'
import { clock } from '../../../lib/clock'
import { inTime } from '../../../lib/timeout'
import { cancelStatement, discard } from './driver-connection'
import { isReadOnly, isSilence } from './database-errors'

export type Work<T> = (runner: QueryRunner) => Promise<T>

/**
 * The connections of a worker's own pool. Whatever is asked has so long to be answered; a connection that has given no
 * answer, or leads to a server that only reads, is ended, and all others with it that were there at the time: they went
 * the same way, and the next one is made anew, by name, to wherever the name leads then.
 */
export class Connections {
  readonly #dataSource: DataSource
  #generation = 0
  readonly #madeIn = new WeakMap<object, number>()

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  /** Runs `work` on one of them, within `ms` milliseconds. */
  async use<T>(ms: number, work: Work<T>): Promise<T> {
    const deadline = clock.now() + ms
    const runner = await this.take(ms)
    try {
      return await this.run(runner, deadline - clock.now(), work)
    } finally {
      await this.giveBack(runner)
    }
  }

  /** A runner whose connection stands and is to be trusted. */
  async take(ms: number): Promise<QueryRunner> {
    for (;;) {
      const runner = this.#dataSource.createQueryRunner()
      const connecting = Promise.resolve(runner.connect())
      try {
        await inTime(connecting, ms)
      } catch (error) {
        // It may still come, and would then be nobody's.
        void connecting.then(() => runner.release()).catch(() => {})
        throw error
      }
      if (await this.isTrusted(runner)) return runner
      await discard(runner)
    }
  }

  /** Runs `work` on a runner that was taken; what comes of its connection is told by `isTrusted`. */
  async run<T>(runner: QueryRunner, ms: number, work: Work<T>): Promise<T> {
    try {
      return await inTime(work(runner), ms)
    } catch (error) {
      if (isSilence(error)) await cancelStatement(runner)
      if (isSilence(error) || isReadOnly(error)) this.#generation++
      throw error
    }
  }

  /** Whether nothing was amiss since the connection was made. */
  async isTrusted(runner: QueryRunner): Promise<boolean> {
    const connection = (await runner.connect()) as object
    const madeIn = this.#madeIn.get(connection) ?? this.#generation
    this.#madeIn.set(connection, madeIn)
    return madeIn === this.#generation
  }

  async giveBack(runner: QueryRunner): Promise<void> {
    if (runner.isReleased) return
    await ((await this.isTrusted(runner)) ? runner.release() : discard(runner))
  }
}
