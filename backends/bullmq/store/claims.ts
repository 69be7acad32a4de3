import type { JobJson } from 'bullmq'
import type { ClaimedRow, ClaimFilter } from '../../../lib/store'
import { type ClaimedRaw, claimedRow } from '../../database/row'
import type { Connection } from '../connection'
import { FIELD, type Job, rawOf } from '../job'
import { freeKey } from '../unique-keys'
import { jobIn } from '../read'
import { Script } from '../script'
import type { RedisFlows } from '../flows/store-flows'
import type { HeldJobs } from './held-jobs'

/** What a claim of several jobs came to. */
export interface Claimed {
  readonly rows: readonly ClaimedRow[]
  /** Answers that did not come: some jobs may be held by nobody. */
  readonly failures: readonly unknown[]
}

/** How many jobs of each queue could be claimed now. A queue that is paused has none. */
const CLAIMABLE = new Script<number[]>(
  'claimable',
  `
local found = {}
for i = 2, #ARGV do
  local queue = ARGV[i]
  if redis.call('HEXISTS', queue .. 'meta', 'paused') == 1 then
    found[i - 1] = 0
  else
    found[i - 1] = redis.call('LLEN', queue .. 'wait') + redis.call('ZCARD', queue .. 'prioritized')
      + redis.call('ZCOUNT', queue .. 'delayed', '-inf', ARGV[1])
  end
end
return found`,
)

/** BullMQ keeps twelve bits for the order within a millisecond below the time at which a job is due. */
const ORDER_BITS = 0x1000

/** Takes jobs, by one command of BullMQ for each. */
export class Claims {
  readonly #connection: Connection
  readonly #alias: string
  readonly #queueNames: readonly string[]
  readonly #held: HeldJobs
  readonly #flows: RedisFlows

  constructor(
    connection: Connection,
    { alias, queues }: { readonly alias: string; readonly queues: readonly string[] },
    held: HeldJobs,
    flows: RedisFlows,
  ) {
    this.#connection = connection
    this.#alias = alias
    this.#queueNames = queues
    this.#held = held
    this.#flows = flows
  }

  /** Two round trips: how many there are, then as many as there is room for. */
  async take(limit: number, filter: ClaimFilter): Promise<Claimed> {
    const queues = this.#wanted(filter)
    if (limit <= 0 || queues.length === 0) return { rows: [], failures: [] }
    const counts = await this.#claimable(queues)
    let room = limit
    const asked = queues.flatMap((queue, i) => {
      const count = Math.min(room, counts[i] ?? 0)
      room -= count
      return Array.from({ length: count }, () => this.#one(queue, filter.workerId))
    })
    const answers = await Promise.allSettled(asked)
    return {
      rows: answers.flatMap((each) => (each.status === 'fulfilled' && each.value) || []),
      failures: answers.flatMap((each) => (each.status === 'rejected' ? [each.reason] : [])),
    }
  }

  /** Queues of BullMQ, in the order in which they are asked: all urgent ones come first. */
  #wanted({ queues, excludeQueues }: ClaimFilter): readonly string[] {
    const names = queues === null ? this.#queueNames : queues
    const pairs = names
      .filter((name) => this.#queueNames.includes(name))
      .filter((name) => queues !== null || !excludeQueues.includes(name))
      .map((name) => this.#connection.names.queuesOf(name))
    return [...pairs.map(([urgent]) => urgent), ...pairs.map(([, usual]) => usual)]
  }

  #claimable(queues: readonly string[]): Promise<number[]> {
    const { client, names } = this.#connection
    const prefixes = queues.map((queue) => names.job(queue, ''))
    const due = (Date.now() + 1) * ORDER_BITS - 1
    return CLAIMABLE.run(client, [names.job(queues[0] ?? '', 'meta')], [due, ...prefixes])
  }

  async #one(queue: string, workerId: string): Promise<ClaimedRow | undefined> {
    const token = this.#held.newToken()
    try {
      const answer = await this.#connection.queue(queue).moveToActive(token, workerId)
      const [found, id] = answer as unknown as Answer
      if (!found || !id) return undefined
      const job = await this.#whole(found, id, queue)
      // Where this fails, nobody holds the job, which is then given back.
      const row = await this.#flows.filled(rawOf(job, this.#alias))
      return this.#claimed(job, row, token)
    } finally {
      this.#held.answered(token)
    }
  }

  /** A first claim finds no fields of ours, but for what another program has done to the job. */
  async #whole(found: JobJson, id: string, queue: string): Promise<Job> {
    const job = { id, queue, state: 'active', fields: fieldsOf(found) } as const
    const { attemptsStarted, stalledCounter } = found
    if (attemptsStarted <= 1 && stalledCounter === 0) return job
    const whole = (await jobIn(this.#connection, queue, id)) ?? job
    // Of an earlier claim.
    if (whole.fields[FIELD.cancel] !== undefined) await this.#forgetCancel(whole)
    return whole
  }

  async #forgetCancel({ queue, id }: Job): Promise<void> {
    const { client, names } = this.#connection
    await client.hdel(names.job(queue, id), FIELD.cancel)
  }

  #claimed({ id, queue, fields }: Job, raw: ClaimedRaw, token: string): ClaimedRow {
    const row = claimedRow({ ...raw, cancel_requested_at: null })
    const uniqueKey = fields['deid']
    this.#held.add(row, { queue, token, uniqueKey })
    if (uniqueKey !== undefined) freeKey(this.#connection, 'claim', uniqueKey, id)
    return row
  }
}

type Answer = readonly [JobJson | null | undefined, string | undefined, ...unknown[]]

/** BullMQ has read the hash already. */
function fieldsOf(job: JobJson): Job['fields'] {
  const { name, data, timestamp, processedOn, attemptsStarted, processedBy, progress } = job
  const { delay, priority } = job as { delay?: number; priority?: number }
  const asked = job.opts.delay
  return {
    name,
    data,
    timestamp: String(timestamp),
    delay: String(delay ?? 0),
    // What was asked for: the other one is 0 once it is over.
    opts: asked ? JSON.stringify({ delay: asked }) : undefined,
    priority: String(priority ?? 0),
    processedOn: String(processedOn),
    ats: String(attemptsStarted ?? 1),
    pb: processedBy,
    deid: job.deduplicationId,
    progress: typeof progress === 'object' ? JSON.stringify(progress) : undefined,
  }
}
