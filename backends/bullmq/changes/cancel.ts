import { recordOf } from '../../../lib/errors/error-record'
import { TaskCancelled } from '../../../lib/errors/run-errors'
import type { Connection } from '../connection'
import { FIELD } from '../job'
import { namesOf, QUEUE_OF } from '../read'
import { Script } from '../script'
import { failureOf } from './failure'

/** What a cancel has done: ended a job that waited, or asked for the end of one that runs. */
export type Cancelled = 'ended' | 'asked' | 'nothing'

/**
 * A job that waits is failed at once, wherever it waits. Of one that runs the lock is changed to another value, so that BullMQ
 * refuses every outcome of its token: its worker takes the new value when it hears of the cancel, and can end it as cancelled only.
 */
const CANCEL = new Script<Cancelled>(
  'cancel',
  `${QUEUE_OF}
local id = ARGV[2]
local name = queueOf(KEYS[1], ARGV[1], id, cjson.decode(ARGV[3]))
if not name then return 'nothing' end
local queue = ARGV[1] .. name .. ':'
local job = queue .. id
local known = redis.call('HMGET', job, 'finishedOn', 'processedOn', 'deid', 'timestamp')
if known[1] or not known[4] then return 'nothing' end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if known[2] and redis.call('LPOS', queue .. 'active', id) then
  redis.call('HSETNX', job, '${FIELD.cancel}', now)
  local lock = redis.call('GET', job .. ':lock')
  if lock and string.sub(lock, -1) ~= '!' then redis.call('SET', job .. ':lock', lock .. '!', 'KEEPTTL') end
  redis.call('PUBLISH', KEYS[2], ARGV[4])
  return 'asked'
end
if redis.call('ZREM', queue .. 'delayed', id) == 0 and redis.call('ZREM', queue .. 'prioritized', id) == 0
  and redis.call('ZREM', queue .. 'waiting-children', id) == 0 and redis.call('LREM', queue .. 'wait', 1, id) == 0
  and redis.call('LREM', queue .. 'paused', 1, id) == 0 then return 'nothing' end
redis.call('HDEL', job, '${FIELD.cancel}')
redis.call('HSET', job, 'finishedOn', now, 'failedReason', ARGV[5], 'stacktrace', ARGV[6], '${FIELD.error}', ARGV[7])
redis.call('ZADD', queue .. 'failed', now, id)
redis.call('XADD', queue .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'failed', 'jobId', id, 'failedReason', ARGV[5], 'prev', 'waiting')
if known[3] then
  local key = KEYS[3] .. ':' .. known[3]
  local first = string.sub(known[3], 1, 2)
  if (first == 'f:' or first == 'd:') and redis.call('GET', key) == id then redis.call('DEL', key) end
end
return 'ended'`,
)

/** In any process: the worker of a job that runs hears of it, or sees it when it renews the lock. */
export function cancelJob(
  connection: Connection,
  queueNames: readonly string[],
  id: string,
): Promise<Cancelled> {
  const { client, names } = connection
  const { failedReason, stacktrace, error } = failureOf(recordOf(new TaskCancelled()))
  const queues = JSON.stringify(namesOf(connection, queueNames))
  const told = JSON.stringify({ what: 'cancel', key: id })
  return CANCEL.run(
    client,
    [names.ids, names.wakeups, names.keys],
    [names.beginning, id, queues, told, failedReason, stacktrace, error],
  )
}
