import type { PruneQuery } from '../../../lib/store'
import type { Connection } from '../connection'
import { parkedKey } from '../flows/sets'
import { namesOf } from '../read'
import { Script } from '../script'

/** Ids of one script: Redis does nothing else meanwhile. */
const PORTION = 1_000
/** Portions of one look; the next one goes on from there. */
const MOST = 100

/** Whether there are more ids than jobs. One of another program's jobs, which have no id there, stands for one that is left over. */
const IS_ANY = new Script<number>(
  'isAnyLeftOver',
  `
local jobs = 0
for _, queue in ipairs(ARGV) do
  jobs = jobs + redis.call('LLEN', queue .. 'wait') + redis.call('LLEN', queue .. 'paused') + redis.call('LLEN', queue .. 'active')
  for _, set in ipairs({ 'delayed', 'prioritized', 'waiting-children', 'completed', 'failed' }) do
    jobs = jobs + redis.call('ZCARD', queue .. set)
  end
end
return redis.call('ZCARD', KEYS[1]) > jobs and 1 or 0`,
)

/** Takes out the ids of jobs that are gone, from the place on at which the last look ended. Gives 1 if there are more. */
const SWEEP = new Script<number>(
  'sweep',
  `
local from = redis.call('GET', KEYS[3])
local most = tonumber(ARGV[2])
local places = redis.call('ZRANGEBYLEX', KEYS[1], from and '(' .. from or '-', '+', 'LIMIT', 0, most)
for _, place in ipairs(places) do
  local at = string.find(place, ':', 1, true)
  local job = at and ARGV[1] .. string.sub(place, at + 1) .. ':' .. string.sub(place, 1, at - 1)
  if not job or redis.call('EXISTS', job) == 0 then
    redis.call('ZREM', KEYS[1], place)
    redis.call('ZREM', KEYS[2], place)
  end
end
if #places < most then
  redis.call('DEL', KEYS[3])
  return 0
end
redis.call('SET', KEYS[3], places[#places])
return 1`,
)

/** Ids of jobs that other programs have removed: nothing of ours has heard of that. */
export async function sweepIds(
  connection: Connection,
  queueNames: readonly string[],
  { dryRun, mayGoOn }: Pick<PruneQuery, 'dryRun' | 'mayGoOn'>,
): Promise<void> {
  const { client, names } = connection
  const queues = namesOf(connection, queueNames).map((queue) => names.job(queue, ''))
  if (dryRun || (await IS_ANY.run(client, [names.ids], queues)) === 0) return
  const keys = [names.ids, parkedKey(names), names.own('swept')]
  for (let portion = 0; portion < MOST; portion++) {
    if (mayGoOn && !(await mayGoOn())) return
    if ((await SWEEP.run(client, keys, [names.beginning, PORTION])) === 0) return
  }
}
