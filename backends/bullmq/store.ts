import type { RedisQueueBackend } from 'bullmq'
import type {
  ClaimedRow,
  ClaimFilter,
  Exchange,
  Held,
  Judge,
  Outcome,
  PruneQuery,
  Renewed,
  Reported,
  Rescued,
  Store,
} from '../../lib/store'
import { claimedRow } from '../database/row'
import { failureOf } from './changes/failure'
import type { Connection } from './connection'
import { FIELD, rawOf } from './job'
import { jobIn } from './read'

export interface BullMQStoreSettings {
  readonly alias: string
  readonly queues: readonly string[]
  readonly leaseSeconds: number
  readonly maxCrashes: number
}

/** The verbs of a worker, by BullMQ's scripts. */
export class BullMQStore implements Store {
  readonly leaseSeconds: number
  readonly maxCrashes: number
  readonly #connection: Connection
  readonly #settings: BullMQStoreSettings
  readonly #tokens = new Map<
    string,
    { readonly queue: string; readonly token: string; readonly claims: number }
  >()
  #claims = 0

  constructor(connection: Connection, settings: BullMQStoreSettings) {
    this.#connection = connection
    this.#settings = settings
    this.leaseSeconds = settings.leaseSeconds
    this.maxCrashes = settings.maxCrashes
  }

  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    const answers = await Promise.all(outcomes.map((outcome) => this.#finish(outcome)))
    const claimed: ClaimedRow[] = []
    const { names } = this.#connection
    for (const queue of this.#settings.queues.flatMap((name) => names.queuesOf(name)))
      await this.#claimIn(queue, limit, filter, claimed)
    return { answers, claimed }
  }

  async #claimIn(
    queue: string,
    limit: number,
    { workerId }: ClaimFilter,
    claimed: ClaimedRow[],
  ): Promise<void> {
    while (claimed.length < limit) {
      const token = `${workerId}:${(this.#claims += 1)}`
      const [, id] = await this.#connection.queue(queue).moveToActive(token, workerId)
      const whole = id ? await jobIn(this.#connection, queue, id as string) : undefined
      if (!whole) return
      const row = claimedRow(rawOf(whole, this.#settings.alias))
      this.#tokens.set(row.key, { queue, token, claims: row.claims })
      claimed.push(row)
    }
  }

  async #finish(outcome: Outcome): Promise<'kept' | 'refused'> {
    const held = this.#tokens.get(outcome.key)
    if (!held || outcome.status === 'READY') return 'refused'
    const queue = this.#connection.queue(held.queue)
    const job = { id: outcome.key, opts: { attempts: 1 } } as never
    const args =
      outcome.status === 'SUCCESSFUL'
        ? queue.moveToCompletedArgs(job, outcome.returnValue as never, false, held.token)
        : failedArgs(queue, job, outcome, held.token)
    await queue.moveToFinished(outcome.key, args)
    return 'kept'
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    return { lost: [], cancelled: [], unknown: rows }
  }
  async report(): Promise<Reported> {
    return { later: [], refused: [] }
  }
  async release(): Promise<number> {
    return 0
  }
  async rescue(_judge: Judge): Promise<Rescued> {
    return { released: [], failed: [] }
  }
  async prune(_query: PruneQuery): Promise<number> {
    return 0
  }
  async close(): Promise<void> {
    await this.#connection.close()
  }
}

function failedArgs(
  queue: RedisQueueBackend,
  job: never,
  outcome: Outcome & { readonly status: 'FAILED' },
  token: string,
): (string | number | boolean | Buffer)[] {
  const { failedReason, stacktrace, error } = failureOf(outcome.error)
  const fields = { stacktrace, [FIELD.error]: error }
  return queue.moveToFailedArgs(job, failedReason, false, token, false, fields)
}
