import type { PruneAges, PruneQuery } from '../../../lib/store'
import type { Connection } from '../connection'
import { LUA_MEMBER } from '../flows/sets'
import { FIELD } from '../job'
import { OnceScript } from '../changes/once'
import { Script } from '../script'

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

/** Jobs that one script looks at, while others wait. */
const PAGE = 1_000
/** So long in ms before the border of an earlier look a later one begins: hosts' clocks differ. */
const OVERLAP_MS = 60_000
/** After this time in ms a look begins at the oldest job again: some that were old enough had to stay. */
const WHOLE_MS = 60 * 60_000

/**
 * Of the finished jobs of a queue those that are of some tasks, or of all but some: the next that have finished since a time, with
 * it. Gives also the time of the last one that was looked at, and all that have the same: the next look begins there. What the
 * index does not have is another program's. KEYS: ids. ARGV: what keys of jobs begin with, set, from, until, how many, names of
 * tasks, 1 if those are left out, BullMQ's name of the queue.
 */
const FIND = new Script<readonly [ids: string[], last: string, ofLast: string[]]>(
  'findFinished',
  `
local queue, index, suffix = ARGV[1], KEYS[1], ':' .. ARGV[8]
local page = redis.call('ZRANGEBYSCORE', queue .. ARGV[2], ARGV[3], ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5])
local last = page[#page] or ''
local tasks, all, isExcept = {}, ARGV[6] == '[]', ARGV[7] == '1'
for _, name in ipairs(cjson.decode(ARGV[6])) do tasks[name] = true end
local found, ofLast = {}, {}
for i = 1, #page, 2 do
  local id = page[i]
  if page[i + 1] == last then ofLast[#ofLast + 1] = id end
  if all or (tasks[redis.call('HGET', queue .. id, 'name') or ''] == true) ~= isExcept then
    if redis.call('ZSCORE', index, id .. suffix) then found[#found + 1] = id end
  end
end
return { found, last, ofLast }`,
)

const SETS = ['completed', 'failed'] as const

interface FinishedSet {
  readonly queue: string
  readonly set: (typeof SETS)[number]
}

/** Tasks whose results are kept for the same time. */
interface Group {
  /** In ms. */
  readonly age: number
  readonly names: readonly string[]
  /** It is of all tasks but these. */
  readonly isExcept: boolean
}

/** What is to be looked at: jobs of a group that have finished between two times, in ms since 1970. */
interface Look {
  readonly place: FinishedSet
  readonly group: Group
  readonly from: number | '-inf'
  readonly before: number
  /** By what it is remembered. */
  readonly key: string
  /** When the last look began that saw all. */
  readonly wholeAt: number
}

/** A job that is to be deleted if it has still been finished by then. */
interface Old extends FinishedSet {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly before: number
}

/** Which of these finished jobs must stay whatever their age. */
export type Kept = (queue: string, ids: readonly string[]) => Promise<ReadonlySet<string>>

/**
 * Deletes finished jobs by their age, in chunks. It looks for each age apart, and only at what has reached that age since it looked
 * before: all that has finished and stays is looked at once in a while.
 */
export class Pruner {
  readonly #connection: Connection
  readonly #queueNames: readonly string[]
  readonly #kept: Kept
  /** Up to which time, in ms since 1970, a look has gone, and when the last one began that saw all. */
  readonly #seen = new Map<string, { readonly until: number; readonly wholeAt: number }>()

  constructor(connection: Connection, queueNames: readonly string[], kept: Kept) {
    this.#connection = connection
    this.#queueNames = queueNames
    this.#kept = kept
  }

  /** Resolves to the number of jobs. */
  async prune(query: PruneQuery): Promise<number> {
    const names = this.#queueNames.filter((name) => query.queues?.includes(name) ?? true)
    const looks = names
      .flatMap((name) => this.#connection.names.queuesOf(name))
      .flatMap((queue) => SETS.map((set) => ({ queue, set })))
      .flatMap((place) => groupsOf(query, place.set).map((group) => this.#look(place, group)))
    let deleted = 0
    for await (const chunk of inChunks(this.#oldIn(looks, query.dryRun))) {
      if (query.dryRun) deleted += chunk.length
      else {
        if (query.mayGoOn && !(await query.mayGoOn())) return deleted
        const now = await deleteJobs(this.#connection, chunk)
        deleted += now
        if (now > 0) query.onProgress?.(deleted)
      }
    }
    if (query.dryRun) return deleted
    for (const { key, before, wholeAt } of looks) this.#seen.set(key, { until: before, wholeAt })
    return deleted
  }

  #look(place: FinishedSet, group: Group): Look {
    const now = Date.now()
    const before = now - group.age
    const key = JSON.stringify([place, group])
    const seen = this.#seen.get(key)
    const isWhole = !seen || now - seen.wholeAt >= WHOLE_MS || before < seen.until
    if (isWhole) return { place, group, key, before, from: '-inf', wholeAt: now }
    return { place, group, key, before, from: seen.until - OVERLAP_MS, wholeAt: seen.wholeAt }
  }

  async *#oldIn(looks: readonly Look[], isWhole: boolean): AsyncGenerator<readonly Old[]> {
    for (const look of looks) {
      const { place, before } = look
      for await (const ids of this.#finished(isWhole ? { ...look, from: '-inf' } : look)) {
        const stay = await this.#kept(place.queue, ids)
        yield ids.filter((id) => !stay.has(id)).map((id) => ({ ...place, before, id }))
      }
    }
  }

  /**
   * Page by page, those that finished first at the front. Each page begins at the time at which the one before has ended: a rank
   * would be sought from the start, and changes when jobs are deleted meanwhile (measured: 60 s for 15,000 beside 120,000 that stay).
   */
  async *#finished({ place, group, from, before }: Look): AsyncGenerator<readonly string[]> {
    const { client, names } = this.#connection
    const { queue, set } = place
    const tasks = [JSON.stringify(group.names), group.isExcept ? 1 : 0]
    let next = String(from)
    /** Those of the page before that finished at `next`: some may be there still. */
    let seen = new Set<string>()
    for (;;) {
      const most = PAGE + seen.size
      const args = [names.job(queue, ''), set, next, before, most, ...tasks, queue]
      const [ids, last, ofLast] = await FIND.run(client, [names.ids], args)
      const fresh = ids.filter((id) => !seen.has(id))
      if (fresh.length > 0) yield fresh
      if (last === '' || (last === next && ofLast.every((id) => seen.has(id)))) return
      seen = new Set(last === next ? [...seen, ...ofLast] : ofLast)
      next = last
    }
  }
}

/** Each age apart, with the tasks that have it; the general one is of all tasks that have none of their own. */
function groupsOf({ tasks = [], ...general }: PruneQuery, set: FinishedSet['set']): Group[] {
  const ageOf = ({ minAge, failedMinAge }: PruneAges): number | undefined =>
    set === 'failed' ? failedMinAge : minAge
  const age = ageOf(general)
  const others = tasks.filter((each) => ageOf(each) !== age)
  const ages = [...new Set(others.map(ageOf))].filter((each) => each !== undefined)
  const groups = ages.map((each): Group => {
    const names = others.filter((task) => ageOf(task) === each).map(({ name }) => name)
    return { age: each, names, isExcept: false }
  })
  if (age === undefined) return groups
  return [{ age, names: others.map(({ name }) => name), isExcept: true }, ...groups]
}

async function* inChunks(pages: AsyncIterable<readonly Old[]>): AsyncGenerator<readonly Old[]> {
  let chunk: Old[] = []
  for await (const page of pages) {
    chunk.push(...page)
    for (; chunk.length >= CHUNK; chunk = chunk.slice(CHUNK)) yield chunk.slice(0, CHUNK)
  }
  if (chunk.length > 0) yield chunk
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
