import { briefName } from '../../../lib/errors/suggestions'
import { oneLine } from '../../../lib/errors/foreign-text'
import { log } from '../../../lib/events/logger'
import type { Connection } from '../connection'
import { type Job, OUR_DATA } from '../job'

/** First and longest delay in ms until a job that is left may be claimed again, by its own program as well. */
const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 60_000
/** The delay varies by this share, so that they do not all come back at once. */
const JITTER = 0.2
/** Names that the log has told of. */
const MOST_NAMES = 100

/** Of a UUID. BullMQ gives numbers, also to a copy of a job of ours. */
const ID_LENGTH = 36

/** Whether a job is of this library by its id and its data, so that nothing need be asked about it. */
export function isOfTasks({ id, fields }: Pick<Job, 'id' | 'fields'>): boolean {
  return id.length === ID_LENGTH && (fields['data']?.startsWith(OUR_DATA) ?? false)
}

/**
 * Jobs that another program has added to a queue of ours: mostly by mistake, of one of both. Nobody of ours can run them, and they
 * are not ours to end.
 */
export class OthersJobs {
  readonly #connection: Connection
  readonly #told = new Set<string>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Gives a claimed job back with a delay that grows with the number of its claims, if it is none of ours: the index of jobs does
   * not have it. Resolves to false for a job of ours that is damaged. Rejects if Redis does not answer: then the job is found by a
   * later look for lost ones.
   */
  async leave({ id, queue, fields }: Job, token: string): Promise<boolean> {
    const { client, names } = this.#connection
    if ((await client.zscore(names.ids, `${id}:${queue}`)) !== null) return false
    this.#tell(queue, fields['name'] ?? '')
    const delay = delayAfter(Number(fields['ats'] ?? 1))
    await this.#connection
      .queue(queue)
      .moveToDelayed(id, Date.now(), delay, token, { skipAttempt: true })
      .catch((error: unknown) => {
        // The lock is another's by now, or the job is gone.
        if (typeof (error as { code?: unknown }).code !== 'number') throw error
      })
    return true
  }

  #tell(queue: string, name: string): void {
    if (this.#told.has(name) || this.#told.size >= MOST_NAMES) return
    this.#told.add(name)
    const { prefix } = this.#connection.names
    log.warn(
      `Another program adds jobs ("${oneLine(briefName(name))}") to "${prefix}:${queue}", a queue of tasks: they are left alone, and looked at once a minute. Its workers may take your tasks. Give this backend an OPTIONS.prefix of its own, or the other program.`,
    )
  }
}

/** Milliseconds, after so many claims. */
function delayAfter(claims: number): number {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(claims - 1, 10))
  return Math.round(delay * (1 - JITTER * Math.random()))
}
