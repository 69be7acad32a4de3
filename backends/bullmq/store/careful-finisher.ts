import { isTooLarge } from '../errors'
import type { Connection } from '../connection'
import { type Ending, Finisher } from './finisher'

/**
 * Ends jobs. Redis refuses the whole command for one value that is too large for it, and closes the connection: so each of the jobs is
 * handed in once more, by itself.
 */
export class CarefulFinisher {
  readonly #finisher: Finisher
  #turn: Promise<unknown> = Promise.resolve()

  constructor(connection: Connection) {
    this.#finisher = new Finisher(connection)
  }

  /** As `end` of the finisher. An error is one that `isTooLarge` knows only where it is this job that Redis refuses. */
  async end(queue: string, endings: readonly Ending[]): Promise<unknown[]> {
    const answers = await this.#finisher.end(queue, endings)
    if (!answers.some(isTooLarge)) return answers
    return Promise.all(
      endings.map((ending, i) =>
        isTooLarge(answers[i]) ? this.#alone(queue, ending) : answers[i],
      ),
    )
  }

  /** One after another. */
  #alone(queue: string, ending: Ending): Promise<unknown> {
    const answer = this.#turn.then(async () => (await this.#finisher.end(queue, [ending]))[0])
    this.#turn = answer
    return answer
  }
}
