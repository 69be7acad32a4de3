import { PREVIOUS_FAILED } from '../../../lib/errors/error-record'
import { FIELD } from '../job'
import { Script } from '../script'
import { LUA_MEMBER, LUA_PLACES, LUA_QUEUE } from './sets'

/** Lua: takes a job from those that wait for others; its queue, or false: it was not there. */
const LUA_TAKE = `
local function taken(prefix, id)
  local queue = queueOf(prefix, id)
  if not queue or redis.call('ZREM', keyOf(prefix, 'waiting-children', queue), id) == 0 then return false, queue end
  redis.call('ZREM', prefix .. '::parked', id .. ':' .. queue)
  return true, queue
end
`
const LUA = `${LUA_PLACES}${LUA_QUEUE}${LUA_MEMBER}${LUA_TAKE}`

/**
 * Makes a job due that waits for others, or that has failed because of others. BullMQ does the first within its own flows only,
 * which this follows. Replies with its queue, or null. ARGV: prefix, id.
 */
export const UNPARK = new Script<string | null>(
  'flowUnpark',
  `${LUA}
local prefix, id = ARGV[1], ARGV[2]
local isTaken, queue = taken(prefix, id)
if not queue then return nil end
local job = keyOf(prefix, id, queue)
local base = keyOf(prefix, '', queue)
local fields = redis.call('HMGET', job, 'priority', '${FIELD.member}', '${FIELD.error}')
if not isTaken then
  local isRead, error = pcall(cjson.decode, fields[3] or '{}')
  if not isRead or type(error) ~= 'table' or error.exceptionClassPath ~= '${PREVIOUS_FAILED}' then return nil end
  if redis.call('ZREM', base .. 'failed', id) == 0 then return nil end
  redis.call('HDEL', job, 'finishedOn', 'failedReason', 'stacktrace', '${FIELD.error}')
  move(prefix, fields[2], id .. ':' .. queue, 'open')
end
redis.call('HSET', job, 'delay', 0)
local priority = tonumber(fields[1]) or 0
if priority == 0 then
  -- Before what was enqueued later, as BullMQ does.
  redis.call('RPUSH', base .. 'wait', id)
else
  local count = redis.call('INCR', base .. 'pc')
  redis.call('ZADD', base .. 'prioritized', priority * 0x100000000 + count % 0x100000000, id)
end
if redis.call('HEXISTS', base .. 'meta', 'paused') == 0 then redis.call('ZADD', base .. 'marker', 0, '0') end
redis.call('XADD', base .. 'events', '*', 'event', 'waiting', 'jobId', id, 'prev', isTaken and 'waiting-children' or 'failed')
return queue`,
)

/**
 * Ends a job as failed, if it waits for others: BullMQ fails only what is active. ARGV: prefix, id, the error as our field has
 * it, its first line, its text as BullMQ shows it.
 */
export const FAIL = new Script<number>(
  'flowFail',
  `${LUA}
local prefix, id = ARGV[1], ARGV[2]
local isTaken, queue = taken(prefix, id)
if not isTaken then return 0 end
local job = keyOf(prefix, id, queue)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', job, 'finishedOn', string.format('%.0f', now), '${FIELD.error}', ARGV[3], 'failedReason', ARGV[4], 'stacktrace', ARGV[5])
redis.call('ZADD', keyOf(prefix, 'failed', queue), now, id)
move(prefix, redis.call('HGET', job, '${FIELD.member}'), id .. ':' .. queue, 'failed')
redis.call('XADD', keyOf(prefix, 'events', queue), '*', 'event', 'failed', 'jobId', id, 'failedReason', ARGV[4], 'prev', 'waiting-children')
return 1`,
)

/** Deletes a job, if it waits for others. ARGV: prefix, id. */
export const DROP = new Script<number>(
  'flowDrop',
  `${LUA}
local prefix, id = ARGV[1], ARGV[2]
local isTaken, queue = taken(prefix, id)
if not isTaken then return 0 end
local job = keyOf(prefix, id, queue)
local place = id .. ':' .. queue
move(prefix, redis.call('HGET', job, '${FIELD.member}'), place, 'none')
redis.call('DEL', job, job .. ':logs')
redis.call('ZREM', prefix .. '::ids', place)
redis.call('XADD', keyOf(prefix, 'events', queue), '*', 'event', 'removed', 'jobId', id, 'prev', 'waiting-children')
return 1`,
)
