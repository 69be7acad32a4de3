import { isTooLarge } from '../errors'
import type { Connection } from '../connection'
import { type Ending, Finisher } from './finisher'

/**
 * Ends jobs. Redis refuses the whole command for one value that is too large for it, and closes the connection: so each of the jobs is
 * handed in once more, by itself.
 */
export class CarefulFinisher {
  readonly #together: Finisher
  readonly #alone: Finisher
  #turn: Promise<unknown> = Promise.resolve()

  constructor(connection: Connection) {
    this.#together = new Finisher(connection)
    this.#alone = new Finisher(connection)
  }

  /** As `end` of the finisher. Rejects with what `isTooLarge` knows only where it is this job that Redis refuses. */
  async end(queue: string, ending: Ending): Promise<number> {
    try {
      return await this.#together.end(queue, ending)
    } catch (error) {
      if (!isTooLarge(error)) throw error
    }
    const answer = this.#turn.then(() => this.#alone.end(queue, ending))
    this.#turn = answer.catch(() => {})
    return answer
  }
}
