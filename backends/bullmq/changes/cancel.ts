import { recordOf } from '../../../lib/errors/error-record'
import { TaskCancelled } from '../../../lib/errors/run-errors'
import type { Connection } from '../connection'
import type * as byHand from '../flows/by-hand'
import { FIELD } from '../job'
import { jobById, namesOf, QUEUE_OF } from '../read'
import { OnceScript } from './once'
import { failureOf } from './failure'

/** What a cancel has done: ended a job that waited, or asked for the end of one that runs. */
export type Cancelled = 'ended' | 'asked' | 'nothing'

/**
 * A job that waits is failed at once, wherever it waits. Of one that runs the lock is changed to another value, so that BullMQ
 * refuses every outcome of its token: its worker takes the new value when it hears of the cancel, and can end it as cancelled only.
 */
const CANCEL = new OnceScript<Cancelled | 'ended-of-flow'>(
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
return redis.call('HEXISTS', job, '${FIELD.member}') == 1 and 'ended-of-flow' or 'ended'`,
)

interface Place {
  readonly alias: string
  /** Our names. */
  readonly queues: readonly string[]
}

/** In any process: the worker of a job that runs hears of it, or sees it when it renews the lock. */
export async function cancelJob(
  connection: Connection,
  { alias, queues: queueNames }: Place,
  id: string,
): Promise<Cancelled> {
  const { names } = connection
  const { failedReason, stacktrace, error } = failureOf(recordOf(new TaskCancelled()))
  const queues = JSON.stringify(namesOf(connection, queueNames))
  const told = JSON.stringify({ what: 'cancel', key: id })
  const done = await CANCEL.run(
    connection,
    [names.ids, names.wakeups, names.keys],
    [names.beginning, id, queues, told, failedReason, stacktrace, error],
  )
  if (done === 'ended-of-flow') await settledAfter(connection, alias, queueNames, id)
  return done === 'ended-of-flow' ? 'ended' : done
}

/** What waits for a member of a flow that has ended without a worker. */
async function settledAfter(
  connection: Connection,
  alias: string,
  queues: readonly string[],
  id: string,
): Promise<void> {
  const job = await jobById(connection, queues, id)
  if (!job) return
  const { StepByHand } = require('../flows/by-hand') as typeof byHand
  await new StepByHand(connection, alias, job).ended()
}
