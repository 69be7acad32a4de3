import type { Names } from '../names'

/** The most members of a set that one run of a script looks at: Redis does nothing else meanwhile. */
export const LOOKED_AT = 1_000

/**
 * Keys of a set of a flow. Each is a ZSET of `<id>:<queue of BullMQ>`, by the place in the set. In which of the last two a
 * member is says how it was when somebody looked last, so whoever looks corrects it by the job itself: an outcome need not
 * tell them, and of a job of which it is not told nothing is lost.
 */
export interface SetKeys {
  /** All members. */
  readonly all: string
  /** Those of which it is not known that they have finished. */
  readonly open: string
  /** Those that were found to have failed. */
  readonly failed: string
}

export function keysOf(names: Names, set: string): SetKeys {
  return {
    all: names.own('set', set),
    open: names.own('set', set, 'open'),
    failed: names.own('set', set, 'failed'),
  }
}

/** A ZSET of all jobs that wait for others, as `names.ids` is of all jobs: in the order of their ids. */
export function parkedKey(names: Names): string {
  return names.own('parked')
}

/** A job as the sets and `names.ids` name it. */
export function placeOf(id: string, queue: string): string {
  return `${id}:${queue}`
}

/** The reverse of `placeOf`: a queue may have colons in its name, and an id has none. */
export function partsOf(place: string): { readonly id: string; readonly queue: string } {
  const at = place.indexOf(':')
  return { id: place.slice(0, at), queue: place.slice(at + 1) }
}

/** Lua: a job by its place; what it is called, and how it is: open, completed, failed, or gone. */
export const LUA_PLACES = `
local function partsOf(place)
  local at = string.find(place, ':', 1, true)
  return string.sub(place, 1, at - 1), string.sub(place, at + 1)
end
local function keyOf(prefix, id, queue)
  return prefix .. ':' .. queue .. ':' .. id
end
local function stateOf(prefix, place)
  local id, queue = partsOf(place)
  local job = keyOf(prefix, id, queue)
  if redis.call('HEXISTS', job, 'finishedOn') == 1 then
    if redis.call('ZSCORE', keyOf(prefix, 'failed', queue), id) then return 'failed' end
    return 'completed'
  end
  if redis.call('EXISTS', job) == 0 then return 'gone' end
  return 'open'
end
`

/** Lua: the queue of a job, by its id; false: there is none. */
export const LUA_QUEUE = `
local function queueOf(prefix, id)
  local found = redis.call('ZRANGEBYLEX', prefix .. '::ids', '[' .. id .. ':', '(' .. id .. ';', 'LIMIT', 0, 1)
  return found[1] and string.sub(found[1], #id + 2) or false
end
`

/** Lua: a member leaves the indexes of its set, or goes to one of them. `member`: its key, as a table has it. */
export const LUA_MEMBER = `
local function move(prefix, member, place, index)
  if not member then return end
  local key = prefix .. '::set:' .. string.sub(member, 2, 33)
  local ordinal = tonumber(string.sub(member, 34), 16)
  if index ~= 'open' then redis.call('ZREM', key .. ':open', place) end
  if index ~= 'failed' then redis.call('ZREM', key .. ':failed', place) end
  if index == 'none' then redis.call('ZREM', key, place)
  else redis.call('ZADD', key .. ':' .. index, ordinal, place) end
end
`
