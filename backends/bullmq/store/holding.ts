import type { Held } from '../../../lib/store'
import type { Connection } from '../connection'
import { FIELD, type Job, workersOf } from '../job'
import { jobById } from '../read'
import { Script } from '../script'
import { type HeldJob, tokenIn } from './held-jobs'

/** What a renewal says of a job: it is held, it is held and should stop, or the number of the claim that it is at now. */
export type Renewal = 'held' | 'cancelled' | number

/** The most jobs of one script: Redis does nothing else meanwhile. */
const PORTION = 500

/**
 * Prolongs locks. A lock that has run out is taken again while its job is where the claim left it. A lock that ends with "!" is
 * of a job that was asked to stop.
 */
const RENEW = new Script<(string | number)[]>(
  'renew',
  `
local queue, lease = ARGV[1], ARGV[2]
local found = {}
for i = 3, #ARGV, 3 do
  local id, token, claims = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local lockKey = queue .. id .. ':lock'
  local lock = redis.call('GET', lockKey)
  local ats = redis.call('HGET', queue .. id, 'ats')
  if not lock and ats == claims and redis.call('LPOS', queue .. 'active', id) then
    lock = token
    if redis.call('HEXISTS', queue .. id, '${FIELD.cancel}') == 1 then lock = token .. '!' end
    redis.call('SET', lockKey, lock)
  end
  if lock == token or lock == token .. '!' then
    redis.call('PEXPIRE', lockKey, lease)
    found[#found + 1] = lock == token and 'held' or 'cancelled'
  else
    found[#found + 1] = tonumber(ats) or 0
  end
end
return found`,
)

/** Writes progress where BullMQ keeps it, and tells who listens to its events. BullMQ itself takes it from a worker that has lost the job. */
const REPORT = new Script<null>(
  'report',
  `
local queue = ARGV[1]
for i = 2, #ARGV, 3 do
  local id, token, progress = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local lock = redis.call('GET', queue .. id .. ':lock')
  if lock == token or lock == token .. '!' then
    redis.call('HSET', queue .. id, 'progress', progress)
    redis.call('XADD', queue .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'progress', 'jobId', id, 'data', progress)
  end
end`,
)

/** Takes the last claim off what the job says of its workers, while that claim holds it. */
const UNCLAIM = new Script<null>(
  'unclaim',
  `
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('HSET', KEYS[1], '${FIELD.until}', ARGV[2]) end`,
)

/** What may be done with jobs while their claim holds them. */
export class Holding {
  readonly #connection: Connection
  readonly #queueNames: readonly string[]
  readonly #leaseMs: number

  constructor(connection: Connection, queueNames: readonly string[], leaseMs: number) {
    this.#connection = connection
    this.#queueNames = queueNames
    this.#leaseMs = leaseMs
  }

  /** In the order of the jobs. */
  async renew(jobs: readonly HeldJob[]): Promise<Renewal[]> {
    const found = new Map<HeldJob, Renewal>()
    await this.#byQueue(jobs, async (queue, portion) => {
      const args = portion.flatMap(({ key, token, claims }) => [key, token, claims])
      const answers = await RENEW.run(
        this.#connection.client,
        [queue + 'active'],
        [queue, this.#leaseMs, ...args],
      )
      for (const [i, job] of portion.entries()) found.set(job, answers[i] as Renewal)
    })
    return jobs.map((job) => found.get(job) ?? 0)
  }

  async report(notes: readonly (HeldJob & { readonly progress: string })[]): Promise<void> {
    await this.#byQueue(notes, async (queue, portion) => {
      const args = portion.flatMap(({ key, token, progress }) => [key, token, progress])
      await REPORT.run(this.#connection.client, [queue + 'events'], [queue, ...args])
    })
  }

  /** Whether the job waits again, in front of all others; with `delay` in ms, until that has passed. */
  async release(job: HeldJob, delay: number | undefined): Promise<boolean> {
    const queue = this.#connection.queue(job.queue)
    const { key, token, claims, workerIds } = job
    try {
      if (delay === undefined) {
        const { client, names } = this.#connection
        const jobKey = names.job(job.queue, key)
        void UNCLAIM.run(client, [jobKey, `${jobKey}:lock`], [token, claims]).catch(() => {})
        await queue.moveJobFromActiveToWait(key, token)
        return true
      }
      const now = Date.now()
      const fieldsToUpdate = {
        [FIELD.until]: String(claims),
        [FIELD.due]: String(now + delay),
        [FIELD.workers]: JSON.stringify(workerIds.slice(0, -1)),
      }
      await queue.moveToDelayed(key, now, delay, token, { skipAttempt: true, fieldsToUpdate })
      return true
    } catch (error) {
      if (typeof (error as { code?: unknown }).code === 'number') return false
      throw error
    }
  }

  /** The claim of another store of this backend, which holds the job still. */
  async adopt({ key, claims }: Held): Promise<HeldJob | undefined> {
    const job = await this.find(key)
    if (job?.state !== 'active' || Number(job.fields['ats']) !== claims) return undefined
    const { client, names } = this.#connection
    const lock = await client.get(`${names.job(job.queue, key)}:lock`)
    const token = tokenIn(lock ?? '')
    if (token === undefined) return undefined
    const workerIds = workersOf(job).map(String)
    return { key, claims, queue: job.queue, token, workerIds, uniqueKey: job.fields['deid'] }
  }

  find(id: string): Promise<Job | undefined> {
    return jobById(this.#connection, this.#queueNames, id)
  }

  async #byQueue<Each extends HeldJob>(
    jobs: readonly Each[],
    work: (prefix: string, portion: readonly Each[]) => Promise<void>,
  ): Promise<void> {
    const { names } = this.#connection
    const queues = [...new Set(jobs.map(({ queue }) => queue))]
    const portions = queues.flatMap((queue) => {
      const all = jobs.filter((job) => job.queue === queue)
      return Array.from({ length: Math.ceil(all.length / PORTION) }, (_, i) =>
        work(names.job(queue, ''), all.slice(i * PORTION, (i + 1) * PORTION)),
      )
    })
    await Promise.all(portions)
  }
}
