import type { PruneAges, PruneQuery } from '../../../lib/store'
import type { Connection } from '../connection'
import { LUA_MEMBER } from '../flows/sets'
import { FIELD } from '../job'
import { Script } from '../script'

const CHUNK = 500

/** Deletes jobs that are still finished since so long: meanwhile one may have been retried. */
const PRUNE = new Script<number>(
  'prune',
  `${LUA_MEMBER}
local queue, set, before, ids, keys = ARGV[1], ARGV[2], tonumber(ARGV[3]), KEYS[1], ARGV[4]
local name = ARGV[5]
local deleted = 0
for i = 6, #ARGV do
  local id = ARGV[i]
  local at = tonumber(redis.call('ZSCORE', queue .. set, id) or '')
  if at and at <= before then
    local key = redis.call('HGET', queue .. id, 'deid')
    if key and redis.call('GET', keys .. ':' .. key) == id then redis.call('DEL', keys .. ':' .. key) end
    redis.call('ZREM', queue .. set, id)
    redis.call('ZREM', ids, id .. ':' .. name)
    local job = queue .. id
    move(string.sub(ids, 1, -6), redis.call('HGET', job, '${FIELD.member}'), id .. ':' .. name, 'none')
    redis.call('DEL', job, job .. ':lock', job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
    deleted = deleted + 1
  end
end
return deleted`,
)

interface Old {
  readonly queue: string
  readonly set: 'completed' | 'failed'
  readonly id: string
  /** Milliseconds since 1970 up to which it must have finished. */
  readonly before: number
}

/** Which of these finished jobs must stay whatever their age. */
export type Kept = (queue: string, ids: readonly string[]) => Promise<ReadonlySet<string>>

/** Deletes finished jobs by their age, in chunks. Resolves to their number. */
export async function pruneJobs(
  connection: Connection,
  queueNames: readonly string[],
  query: PruneQuery,
  kept: Kept,
): Promise<number> {
  const names = queueNames.filter((name) => query.queues?.includes(name) ?? true)
  const queues = names.flatMap((name) => connection.names.queuesOf(name))
  if (query.dryRun) return (await oldJobs(connection, queues, query, kept)).length
  let deleted = 0
  let chunk = await oldJobs(connection, queues, query, kept, CHUNK)
  while (chunk.length > 0) {
    if (query.mayGoOn && !(await query.mayGoOn())) break
    const now = await deleteJobs(connection, chunk)
    deleted += now
    if (now > 0) query.onProgress?.(deleted)
    if (now < chunk.length) break
    chunk = await oldJobs(connection, queues, query, kept, CHUNK)
  }
  return deleted
}

async function oldJobs(
  connection: Connection,
  queues: readonly string[],
  query: PruneQuery,
  kept: Kept,
  most = Number.POSITIVE_INFINITY,
): Promise<Old[]> {
  const found: Old[] = []
  const now = Date.now()
  for (const set of ['completed', 'failed'] as const) {
    for (const queue of queues) {
      if (found.length >= most) return found
      found.push(
        ...(await oldIn(connection, { queue, set, now }, query, kept, most - found.length)),
      )
    }
  }
  return found
}

/** Finished jobs of one queue, those that finished first at the front. */
async function oldIn(
  connection: Connection,
  place: FinishedSet,
  query: PruneQuery,
  kept: Kept,
  most: number,
): Promise<Old[]> {
  const ages = [query, ...(query.tasks ?? [])].map((each) => ageOf(place, each))
  const youngest = Math.min(...ages.filter((age) => age !== undefined))
  const found: Old[] = []
  if (!Number.isFinite(youngest)) return found
  for (let offset = 0; found.length < most; offset += CHUNK) {
    const page = await pageOf(connection, place, place.now - youngest, offset)
    if (page.length === 0) break
    found.push(...(await oldOf(connection, place, page, query, kept)))
  }
  return found.slice(0, most)
}

interface FinishedSet {
  readonly queue: string
  readonly set: Old['set']
  readonly now: number
}

interface Finished {
  readonly id: string
  readonly at: number
}

function ageOf({ set }: FinishedSet, ages: PruneAges): number | undefined {
  return set === 'failed' ? ages.failedMinAge : ages.minAge
}

async function pageOf(
  { client, names }: Connection,
  { queue, set }: FinishedSet,
  until: number,
  offset: number,
): Promise<Finished[]> {
  const key = names.job(queue, set)
  const page = await client.zrangebyscore(key, '-inf', until, 'WITHSCORES', 'LIMIT', offset, CHUNK)
  return Array.from({ length: page.length / 2 }, (_, i) => ({
    id: page[2 * i] ?? '',
    at: Number(page[2 * i + 1]),
  }))
}

/** Those of a page that are old enough. The ages of several tasks may differ, so names are read where some have their own. */
async function oldOf(
  connection: Connection,
  place: FinishedSet,
  page: readonly Finished[],
  query: PruneQuery,
  kept: Kept,
): Promise<Old[]> {
  const { queue, set, now } = place
  const ids = page.map(({ id }) => id)
  const [taskNames, stays] = await Promise.all([
    query.tasks?.length ? namesOf(connection, queue, ids) : [],
    kept(queue, ids),
  ])
  return page.flatMap(({ id, at }, i) => {
    const age = ageOf(place, query.tasks?.find(({ name }) => name === taskNames[i]) ?? query)
    const isOld = age !== undefined && at <= now - age && !stays.has(id)
    return isOld ? [{ queue, set, id, before: now - age }] : []
  })
}

async function namesOf(
  { client, names }: Connection,
  queue: string,
  ids: readonly string[],
): Promise<(string | null)[]> {
  return Promise.all(ids.map((id) => client.hget(names.job(queue, id), 'name')))
}

async function deleteJobs(connection: Connection, jobs: readonly Old[]): Promise<number> {
  const { client, names } = connection
  const groups = new Map<string, Old[]>()
  for (const job of jobs) {
    const name = `${job.queue} ${job.set} ${job.before}`
    groups.set(name, [...(groups.get(name) ?? []), job])
  }
  const counts = await Promise.all(
    [...groups.values()].map((group) => {
      const { queue, set, before } = group[0] as Old
      const args = [names.job(queue, ''), set, before, names.keys, queue]
      return PRUNE.run(client, [names.ids], [...args, ...group.map(({ id }) => id)])
    }),
  )
  return counts.reduce((sum, each) => sum + each, 0)
}
