import type { ClaimedRow, ClaimFilter } from '../../../lib/store'
import { type ClaimedRaw, claimedRow } from '../../database/row'
import { lossesOf } from '../clients/clients'
import { rebuild } from '../changes/retried-by-others'
import type { Connection } from '../connection'
import { claimedRawOf, FIELD, type Job } from '../job'
import { freeKey } from '../unique-keys'
import { fieldsOf } from '../read'
import { Script, UNPACKED } from '../script'
import type { RedisFlows } from '../flows/store-flows'
import { type HeldJobs, tokenOf } from './held-jobs'
import { isOfTasks, type OthersJobs } from './others-jobs'

const CLAIM_KEYS =
  'wait active prioritized events stalled limiter delayed paused meta pc marker'.split(' ')
const KEYS_OF_CLAIM = CLAIM_KEYS.length

/** The most jobs of one script: Redis does nothing else meanwhile. */
const PORTION = 100
/** The most bytes that one claim takes, but for the last job of each script: jobs are claimed by their number, but fill memory by their size. */
const MOST_BYTES = 16 * 1024 * 1024
/** Up to so many bytes the jobs of a script are one text of JSON: both sides have less work with it than with each field for itself. */
const MOST_AS_JSON = 1024 * 1024
/** How often a claim looks on that has found jobs of other programs alone. */
const MOST_ROUNDS = 100

/** What a claim of several jobs came to. */
export interface Claimed {
  readonly rows: readonly ClaimedRow[]
  /** Answers that did not come: some jobs may be held by nobody. */
  readonly failures: readonly unknown[]
}

/**
 * BullMQ's own script for a claim, as often as there are jobs and room: from the first queue, then from the next. Each of
 * them has a token of its own. It ends once the jobs have so many bytes. Gives the places of queues and the hashes of jobs, as JSON
 * unless they are large.
 */
const CLAIM = new Script<string | Answer[]>(
  'claim',
  (bullMQ) => `${UNPACKED}
local claim = ${bullMQ('moveToActive')}
local limit, now, lease, worker, store, from = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6])
local room = tonumber(ARGV[7])
local options = { lockDuration = lease, name = worker }
local found = {}
for at = 8, #ARGV do
  local queue = at - 8
  local args = { ARGV[at], now, options }
  local keys = { unpack(KEYS, queue * ${KEYS_OF_CLAIM} + 1, (queue + 1) * ${KEYS_OF_CLAIM}) }
  while #found < limit and room > 0 do
    options.token = store .. ':' .. string.format('%.0f', from + #found)
    local answer = claim(keys, args)
    local fields = answer[1]
    if type(fields) ~= 'table' then break end
    found[#found + 1] = { queue, answer[2], fields }
    -- Small ones have their arguments second; of large ones the order is any.
    if fields[3] == 'data' then
      room = room - #fields[4]
    else
      for i = 2, #fields, 2 do room = room - #fields[i] end
    end
  end
end
if #found == 0 or tonumber(ARGV[7]) - room > ${MOST_AS_JSON} then return found end
return cjson.encode(found)`,
)

function jobsIn(found: string | readonly Answer[]): readonly Answer[] {
  return typeof found === 'string' ? (JSON.parse(found) as Answer[]) : found
}

type Answer = readonly [queue: number, id: string, fields: readonly string[]]

/**
 * Takes from a job that somebody asked for the end of an earlier claim: a dashboard of BullMQ may have put it back. If somebody has
 * asked for the end of this one, its lock says so.
 */
const FORGET_CANCEL = new Script<number>(
  'forgetCancel',
  `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], '${FIELD.cancel}')`,
)

interface Room {
  readonly limit: number
  readonly bytes: number
}

interface Taken extends Claimed {
  /** How many jobs of other programs were in the way. */
  readonly left: number
}

/** Takes jobs, by BullMQ's script for that. */
export class Claims {
  readonly #connection: Connection
  readonly #alias: string
  readonly #queueNames: readonly string[]
  readonly #held: HeldJobs
  readonly #flows: RedisFlows
  readonly #others: OthersJobs

  constructor(
    connection: Connection,
    { alias, queues }: { readonly alias: string; readonly queues: readonly string[] },
    { held, flows, others }: { held: HeldJobs; flows: RedisFlows; others: OthersJobs },
  ) {
    this.#connection = connection
    this.#alias = alias
    this.#queueNames = queues
    this.#held = held
    this.#flows = flows
    this.#others = others
  }

  /** One round trip, but where jobs of other programs come first. Rejects if nothing came of it. */
  async take(limit: number, filter: ClaimFilter): Promise<Claimed> {
    const queues = this.#wanted(filter)
    if (limit <= 0 || queues.length === 0) return { rows: [], failures: [] }
    for (let round = 1; ; round++) {
      const { rows, failures, left } = await this.#takeOnce(limit, queues, filter.workerId)
      if (rows.length === 0 && failures.length > 0) throw failures[0]
      // Else the worker would take the queue for empty, and come back after its interval.
      if (rows.length > 0 || left === 0 || round === MOST_ROUNDS) return { rows, failures }
    }
  }

  async #takeOnce(limit: number, queues: readonly string[], worker: string): Promise<Taken> {
    const count = Math.ceil(limit / PORTION)
    const bytes = Math.ceil(MOST_BYTES / count)
    const portions = Array.from({ length: count }, (_, i) =>
      this.#portion({ limit: Math.min(PORTION, limit - i * PORTION), bytes }, queues, worker),
    )
    const answers = await Promise.all(portions)
    return {
      rows: answers.flatMap((each) => each.rows),
      failures: answers.flatMap((each) => each.failures),
      left: answers.reduce((sum, each) => sum + each.left, 0),
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

  async #portion(
    { limit, bytes }: Room,
    queues: readonly string[],
    worker: string,
  ): Promise<Taken> {
    const { client, names, leaseMs } = this.#connection
    const prefixes = queues.map((queue) => names.job(queue, ''))
    const tokens = this.#held.newTokens(limit)
    const losses = lossesOf(client)
    try {
      const found = await CLAIM.run(
        client,
        queues.flatMap((queue) => this.#keysOf(queue)),
        [limit, Date.now(), leaseMs, worker, tokens.storeId, tokens.from, bytes, ...prefixes],
      )
      const all = await Promise.allSettled(
        jobsIn(found).map(([at, id, fields], i) => {
          const queue = queues[at] ?? ''
          const job = { id, queue, state: 'active', fields: fieldsOf(fields) } as const
          return this.#claimed(job, tokenOf(tokens, i))
        }),
      )
      const rows = all.flatMap((each) => (each.status === 'fulfilled' && each.value) || [])
      const failures = all.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
      const left = all.length - rows.length - failures.length
      if (lossesOf(client) !== losses)
        failures.push(new Error('The connection to Redis was lost during a claim.'))
      return { rows, failures, left }
    } catch (error) {
      return { rows: [], failures: [error], left: 0 }
    } finally {
      this.#held.answered(tokens)
    }
  }

  /** What BullMQ's script takes, in its order. */
  #keysOf(queue: string): readonly string[] {
    const { keys } = this.#connection.queue(queue)
    return CLAIM_KEYS.map((each) => keys[each] ?? '')
  }

  #forgetCancel({ queue, id }: Job, token: string): void {
    const { client, names } = this.#connection
    const key = names.job(queue, id)
    void FORGET_CANCEL.run(client, [key, `${key}:lock`], [token]).catch(() => {})
  }

  /** Undefined for a job of another program, which is left alone. Where a flow's values cannot be read, nobody holds the job, which is then given back. */
  async #claimed(job: Job, token: string): Promise<ClaimedRow | undefined> {
    if (!isOfTasks(job) && (await this.#others.leave(job, token))) return undefined
    if (job.fields[FIELD.cancel] !== undefined) this.#forgetCancel(job, token)
    if (job.fields[FIELD.error] !== undefined) rebuild(this.#connection, job, token)
    const raw = claimedRawOf(job, this.#alias)
    // Most have none: then nothing is awaited.
    return this.#hold(job, raw.options === null ? raw : await this.#flows.filled(raw), token)
  }

  #hold({ id, queue, fields }: Job, raw: ClaimedRaw, token: string): ClaimedRow {
    const row = claimedRow(raw)
    const uniqueKey = fields['deid']
    this.#held.add(row, { queue, token, uniqueKey })
    if (uniqueKey !== undefined) freeKey(this.#connection, 'claim', uniqueKey, id)
    return row
  }
}
