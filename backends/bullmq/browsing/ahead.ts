import { MOST_AHEAD } from '../../../lib/browser'
import type { TaskResult } from '../../../lib/result'
import type { Connection } from '../connection'
import { Script } from '../script'

/**
 * How many jobs are asked before one, by the ranks that Redis knows: nothing is counted one by one but the end of the list. Those
 * that are delayed come behind all that wait once their time has come. -1: it does not wait, or not yet.
 */
const AHEAD = new Script<number>(
  'ahead',
  `
local urgent, usual, id, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local due = (tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + 1) * 4096 - 1
local function waiting(queue) return redis.call('LLEN', queue .. 'wait') + redis.call('ZCARD', queue .. 'prioritized') end
local function inDelayed(queue)
  local score = tonumber(redis.call('ZSCORE', queue .. 'delayed', id) or '')
  if not score or score > due then return nil end
  return waiting(queue) + redis.call('ZRANK', queue .. 'delayed', id)
end
local function inQueue(queue)
  local rank = redis.call('ZRANK', queue .. 'prioritized', id)
  if rank then return redis.call('LLEN', queue .. 'wait') + rank end
  local length = redis.call('LLEN', queue .. 'wait')
  local at = redis.call('LPOS', queue .. 'wait', id, 'RANK', -1, 'MAXLEN', most)
  if at then return length - 1 - at end
  return inDelayed(queue)
end
local ahead = inQueue(urgent)
if ahead then return ahead end
local before = waiting(urgent) + redis.call('ZCOUNT', urgent .. 'delayed', '-inf', due)
ahead = inQueue(usual)
if ahead then return before + ahead end
local isWaiting = redis.call('EXISTS', usual .. id) == 1 and not redis.call('ZSCORE', usual .. 'delayed', id)
return isWaiting and most or -1`,
)

/** How many due jobs of its queue a claim would take before a READY one, up to MOST_AHEAD; null: it is not due. */
export async function countAhead(
  { client, names }: Connection,
  { id, status, isWaiting, queueName }: TaskResult<unknown>,
): Promise<number | null> {
  if (status !== 'READY' || isWaiting) return null
  const [urgent, usual] = names.queuesOf(queueName)
  const args = [names.job(urgent, ''), names.job(usual, ''), id, MOST_AHEAD]
  const ahead = await AHEAD.run(client, [names.ids], args)
  return ahead < 0 ? null : Math.min(ahead, MOST_AHEAD)
}
