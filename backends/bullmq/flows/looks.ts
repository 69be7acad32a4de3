import { FIELD } from '../job'
import { Script } from '../script'
import { LUA_PLACES, LUA_QUEUE } from './sets'

/** A member as the scripts give it: where it is, its place in the set, how it is, and four fields of its hash. */
export type LookedAt = readonly [
  place: string,
  ordinal: string,
  state: string,
  name: string | null,
  returned: string | null,
  error: string | null,
  reason: string | null,
]

/** A look that went on for too long is continued from an ordinal. */
export type FirstReply =
  readonly ['found', ordinal: string, state: string] | readonly ['more', from: string] | null

/**
 * The first member in a range of a set that is as asked. What it passes that is not where it belongs is put there, and passed
 * once only: settling a set takes no more of these steps, all together, than the set has members. KEYS: all, open, failed.
 * ARGV: prefix, from, up to (ordinals), what is asked, how many may be looked at.
 */
export const FIRST = new Script<FirstReply>(
  'flowFirst',
  `${LUA_PLACES}
local prefix, from, upTo, asked, left = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local open, failed = KEYS[2], KEYS[3]
local function put(place, ordinal, state)
  if state ~= 'open' then redis.call('ZREM', open, place) end
  if state ~= 'failed' then redis.call('ZREM', failed, place) end
  if state == 'gone' then redis.call('ZREM', KEYS[1], place) end
  if state == 'open' then redis.call('ZADD', open, ordinal, place) end
  if state == 'failed' then redis.call('ZADD', failed, ordinal, place) end
end
-- The ordinal of the first one in an index that is where it belongs, and whether the look was too long.
local function first(index, wanted)
  while left > 0 do
    local found = redis.call('ZRANGEBYSCORE', index, from, upTo, 'WITHSCORES', 'LIMIT', 0, 100)
    if #found == 0 then return nil, false end
    for i = 1, #found, 2 do
      local state = stateOf(prefix, found[i])
      if state == wanted then return tonumber(found[i + 1]), false end
      put(found[i], found[i + 1], state)
      left = left - 1
    end
  end
  return nil, true
end
-- Among those not known to have finished, with those that have not left where they are.
local function firstFailed(last)
  local at = from
  while left > 0 do
    local found = redis.call('ZRANGEBYSCORE', open, at, last, 'WITHSCORES', 'LIMIT', 0, 100)
    if #found == 0 then return nil, false end
    for i = 1, #found, 2 do
      local state = stateOf(prefix, found[i])
      if state ~= 'open' then put(found[i], found[i + 1], state) end
      if state == 'failed' then return tonumber(found[i + 1]), false end
      at = '(' .. found[i + 1]
      left = left - 1
    end
  end
  return nil, at
end
local function found(ordinal, state)
  return { 'found', tostring(ordinal), state }
end
if asked == 'open' then
  local one, more = first(open, 'open')
  if more then return { 'more', from } end
  return one and found(one, 'open')
end
local one, more = first(failed, 'failed')
if more then return { 'more', from } end
if asked == 'failed' then
  local other, at = firstFailed(one or upTo)
  if at then return { 'more', at } end
  return (other or one) and found(other or one, 'failed')
end
local other
other, more = first(open, 'open')
if more then return { 'more', from } end
-- This look may have found an earlier failure.
one = first(failed, 'failed')
if one and (not other or one < other) then return found(one, 'failed') end
return other and found(other, 'open')`,
)

const LUA_FIELDS = `
local function lookedAt(prefix, place, ordinal)
  local id, queue = partsOf(place)
  local job = keyOf(prefix, id, queue)
  local state = stateOf(prefix, place)
  if state == 'open' and redis.call('EXISTS', job .. ':lock') == 1 then state = 'active' end
  local fields = redis.call('HMGET', job, 'name', 'returnvalue', '${FIELD.error}', 'failedReason')
  return { place, ordinal, state, fields[1], fields[2], fields[3], fields[4] }
end
`

/** Members of a range. KEYS: all. ARGV: prefix, from, up to, how many. */
export const MEMBERS = new Script<LookedAt[]>(
  'flowMembers',
  `${LUA_PLACES}${LUA_FIELDS}
local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[3], 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local members = {}
for i = 1, #found, 2 do
  local member = lookedAt(ARGV[1], found[i], found[i + 1])
  if member[3] ~= 'gone' then members[#members + 1] = member end
end
return members`,
)

/** The ordinals and the values of the first members, each as a pair. ARGV: prefix, how many, the longest value in bytes. */
export const VALUES = new Script<string[]>(
  'flowValues',
  `${LUA_PLACES}
local found = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1, 'WITHSCORES')
local values = {}
for i = 1, #found, 2 do
  local state = stateOf(ARGV[1], found[i])
  if state ~= 'gone' then
    local id, queue = partsOf(found[i])
    local job = keyOf(ARGV[1], id, queue)
    local value = ''
    if state == 'completed' and redis.call('HSTRLEN', job, 'returnvalue') <= tonumber(ARGV[3]) then
      value = redis.call('HGET', job, 'returnvalue') or 'null'
    end
    values[#values + 1] = found[i + 1]
    values[#values + 1] = value
  end
end
return values`,
)

/** Any job, by its id. ARGV: prefix, id. */
export const ONE = new Script<LookedAt | null>(
  'flowOne',
  `${LUA_PLACES}${LUA_QUEUE}${LUA_FIELDS}
local queue = queueOf(ARGV[1], ARGV[2])
if not queue then return nil end
local found = lookedAt(ARGV[1], ARGV[2] .. ':' .. queue, '0')
return found[3] ~= 'gone' and found or nil`,
)

/** Of jobs by their ids: id, how it is, what its options say of its flow, its key as a member; those that are gone are left out. ARGV: prefix, ids. */
export const PARTS = new Script<
  (readonly [id: string, state: string, flow: string | null, member: string | null])[]
>(
  'flowParts',
  `${LUA_PLACES}${LUA_QUEUE}
local parts = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local queue = queueOf(ARGV[1], id)
  local state = queue and stateOf(ARGV[1], id .. ':' .. queue) or 'gone'
  if state ~= 'gone' then
    local fields = redis.call('HMGET', keyOf(ARGV[1], id, queue), '${FIELD.flow}', '${FIELD.member}')
    parts[#parts + 1] = { id, state, fields[1], fields[2] }
  end
end
return parts`,
)

/**
 * Jobs that wait for others, from behind one on: id, and what its options say of its flow. Those that do so no more, as after a
 * click in another program, leave the index. KEYS: parked. ARGV: prefix, lower bound, how many.
 */
export const PARKED_JOBS = new Script<(readonly [id: string, flow: string | null])[]>(
  'flowParked',
  `${LUA_PLACES}
local found = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])
local waiting = {}
for _, place in ipairs(found) do
  local id, queue = partsOf(place)
  if redis.call('ZSCORE', keyOf(ARGV[1], 'waiting-children', queue), id) then
    waiting[#waiting + 1] = { id, redis.call('HGET', keyOf(ARGV[1], id, queue), '${FIELD.flow}') }
  else
    redis.call('ZREM', KEYS[1], place)
  end
end
return waiting`,
)
