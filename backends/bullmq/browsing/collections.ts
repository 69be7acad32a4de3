import type { CountQuery, ListQuery } from '../../../lib/backend'
import type { Counts, TaskStatus } from '../../../lib/row/record'
import type { Connection } from '../connection'
import type { JobState } from '../job'
import { Script } from '../script'

/** BullMQ's collections of jobs in each state. Those in `lists` are lists, the others sorted sets. */
const COLLECTIONS: Readonly<Record<JobState, readonly string[]>> = {
  waiting: ['wait', 'paused', 'prioritized', 'delayed'],
  parked: ['waiting-children'],
  active: ['active'],
  completed: ['completed'],
  failed: ['failed'],
}

/** States of jobs by what a list asks for. */
export const STATES: Readonly<Record<TaskStatus | 'WAITING', readonly JobState[]>> = {
  READY: ['waiting', 'parked'],
  RUNNING: ['active'],
  SUCCESSFUL: ['completed'],
  FAILED: ['failed'],
  WAITING: ['parked'],
}

const LISTS = `
local lists = { wait = true, paused = true, active = true }
local function sizeOf(key, collection) return redis.call(lists[collection] and 'LLEN' or 'ZCARD', key) end
`

/**
 * The number of jobs in each state, of all that the index has, and of all in these queues. ARGV: what keys begin with, the queues
 * that are wanted, all queues, the collections of each state.
 */
const SIZES = new Script<[number, number, number, number, number, indexed: number, all: number]>(
  'sizes',
  `${LISTS}
local prefix, wanted, all = ARGV[1], {}, 0
for _, name in ipairs(cjson.decode(ARGV[2])) do wanted[name] = true end
local queues, sizes = cjson.decode(ARGV[3]), {}
for at, collections in ipairs(cjson.decode(ARGV[4])) do
  sizes[at] = 0
  for _, name in ipairs(queues) do
    for _, collection in ipairs(collections) do
      local size = sizeOf(prefix .. name .. ':' .. collection, collection)
      all = all + size
      if wanted[name] then sizes[at] = sizes[at] + size end
    end
  end
end
sizes[#sizes + 1] = redis.call('ZCARD', KEYS[1])
sizes[#sizes + 1] = all
return sizes`,
)

/**
 * The newest jobs of some collections, as members of the index; nothing if the collections hold more than a number. Those of
 * other programs, most of which have ids of another length, are not in the index.
 */
const NEWEST = new Script<string[] | null>(
  'newestOf',
  `${LISTS}
local prefix, queues, collections = ARGV[1], cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local most, before, within, limit = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local size = 0
for _, name in ipairs(queues) do
  for _, collection in ipairs(collections) do size = size + sizeOf(prefix .. name .. ':' .. collection, collection) end
end
if size > most then return nil end
local last = within > 0 and size > 0 and redis.call('ZREVRANGEBYLEX', KEYS[1], before == '' and '+' or '(' .. before, '-', 'LIMIT', within - 1, 1)[1] or ''
local found = {}
for _, name in ipairs(queues) do
  for _, collection in ipairs(collections) do
    local key = prefix .. name .. ':' .. collection
    for _, id in ipairs(redis.call(lists[collection] and 'LRANGE' or 'ZRANGE', key, 0, -1)) do
      local member = id .. ':' .. name
      if #id == 36 and (before == '' or id < before) and member >= last and (ARGV[8] == '' or redis.call('HGET', prefix .. name .. ':' .. id, 'name') == ARGV[8]) then
        found[#found + 1] = member
      end
    end
  end
end
table.sort(found, function(a, b) return a > b end)
local newest = {}
for _, member in ipairs(found) do
  if #newest >= limit then break end
  if redis.call('ZSCORE', KEYS[1], member) then newest[#newest + 1] = member end
end
return newest`,
)

/** The most jobs of a collection that are sorted by one script, which others wait for. */
const MOST_SORTED = 4_000

/**
 * Counts of whole collections; undefined where the query is about some of their jobs, or where these are more than the index has:
 * then some are of other programs, which no list shows. `wanted`, `all`: BullMQ's names of queues.
 */
export async function wholeCounts(
  { client, names }: Connection,
  { wanted, all }: { readonly wanted: readonly string[]; readonly all: readonly string[] },
  { taskName, before, within }: CountQuery,
): Promise<Counts | undefined> {
  if (taskName !== undefined || before !== undefined) return undefined
  const states = (['waiting', 'active', 'failed', 'completed', 'parked'] as const).map(
    (state) => COLLECTIONS[state],
  )
  const lists = [wanted, all, states].map((list) => JSON.stringify(list))
  const [READY, RUNNING, FAILED, SUCCESSFUL, WAITING, indexed, inQueues] = await SIZES.run(
    client,
    [names.ids],
    [names.beginning, ...lists],
  )
  if (inQueues > indexed || (within && indexed > within)) return undefined
  return { READY, RUNNING, FAILED, SUCCESSFUL, WAITING }
}

/** Members of the index that a list has next; undefined where the collections are too large to be sorted. */
export async function newestOf(
  { client, names }: Connection,
  queues: readonly string[],
  { status, taskName = '', before = '', within = 0, limit }: ListQuery,
): Promise<readonly string[] | undefined> {
  if (status === undefined) return undefined
  const collections = STATES[status].flatMap((state) => COLLECTIONS[state])
  const found = await NEWEST.run(
    client,
    [names.ids],
    [
      names.beginning,
      JSON.stringify(queues),
      JSON.stringify(collections),
      MOST_SORTED,
      before,
      within,
      Math.min(limit, MOST_SORTED),
      taskName,
    ],
  )
  return found ?? undefined
}
