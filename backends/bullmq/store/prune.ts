import type { PruneAges, PruneQuery } from '../../../lib/store'
import type { Connection } from '../connection'
import { LUA_MEMBER } from '../flows/sets'
import { FIELD } from '../job'
import { OnceScript } from '../changes/once'

const CHUNK = 500

/** Deletes jobs that are still finished since so long: meanwhile one may have been retried. */
const PRUNE = new OnceScript<number>(
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
  let deleted = 0
  for await (const chunk of inChunks(oldJobs(connection, queues, query, kept))) {
    if (query.dryRun) deleted += chunk.length
    else {
      if (query.mayGoOn && !(await query.mayGoOn())) break
      const now = await deleteJobs(connection, chunk)
      deleted += now
      if (now > 0) query.onProgress?.(deleted)
    }
  }
  return deleted
}

async function* inChunks(pages: AsyncIterable<readonly Old[]>): AsyncGenerator<readonly Old[]> {
  let chunk: Old[] = []
  for await (const page of pages) {
    chunk.push(...page)
    for (; chunk.length >= CHUNK; chunk = chunk.slice(CHUNK)) yield chunk.slice(0, CHUNK)
  }
  if (chunk.length > 0) yield chunk
}

/** Page by page, those that finished first at the front. */
async function* oldJobs(
  connection: Connection,
  queues: readonly string[],
  query: PruneQuery,
  kept: Kept,
): AsyncGenerator<readonly Old[]> {
  const now = Date.now()
  for (const set of ['completed', 'failed'] as const)
    for (const queue of queues) {
      const place = { queue, set, now }
      const ages = [query, ...(query.tasks ?? [])].map((each) => ageOf(place, each))
      const youngest = Math.min(...ages.filter((age) => age !== undefined))
      if (!Number.isFinite(youngest)) continue
      for await (const page of pagesOf(connection, place, now - youngest))
        yield oldOf(connection, place, page, query, kept)
    }
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

/**
 * Each page begins at the time at which the one before has ended: a rank would be sought from the start, and changes when jobs
 * are deleted meanwhile (measured: 60 s for 15,000 beside 120,000 that stay).
 */
async function* pagesOf(
  { client, names }: Connection,
  { queue, set }: FinishedSet,
  until: number,
): AsyncGenerator<readonly Finished[]> {
  const key = names.job(queue, set)
  let from: number | '-inf' = '-inf'
  /** Those of the page before that finished at `from`: some may be there still. */
  let seen = new Set<string>()
  for (;;) {
    const most = CHUNK + seen.size
    const found: string[] = await client.zrangebyscore(
      key,
      from,
      until,
      'WITHSCORES',
      'LIMIT',
      0,
      most,
    )
    const page: readonly Finished[] = finishedIn(found).filter(({ id }) => !seen.has(id))
    const last = page.at(-1)
    if (!last) return
    const ofLast = page.filter(({ at }) => at === last.at).map(({ id }) => id)
    seen = new Set(last.at === from ? [...seen, ...ofLast] : ofLast)
    from = last.at
    yield page
  }
}

function finishedIn(page: readonly string[]): Finished[] {
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
  const { names } = connection
  const groups = new Map<string, Old[]>()
  for (const job of jobs) {
    const name = `${job.queue} ${job.set} ${job.before}`
    groups.set(name, [...(groups.get(name) ?? []), job])
  }
  const counts = await Promise.all(
    [...groups.values()].map((group) => {
      const { queue, set, before } = group[0] as Old
      const args = [names.job(queue, ''), set, before, names.keys, queue]
      return PRUNE.run(connection, [names.ids], [...args, ...group.map(({ id }) => id)])
    }),
  )
  return counts.reduce((sum, each) => sum + each, 0)
}
