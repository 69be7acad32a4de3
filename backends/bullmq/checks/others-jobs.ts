import type { Problem } from '../../../lib/backend'
import { oneLine } from '../../../lib/errors/foreign-text'
import { briefName } from '../../../lib/errors/suggestions'
import type { Connection } from '../connection'
import { faultOf } from '../job'
import { Script } from '../script'

/** How many waiting jobs of each kind are looked at in a queue: it may have millions. */
const LOOKED_AT = 20

/** Names and data of the jobs that come next, and of those that came last. */
const WAITING = new Script<(string | null)[][]>(
  'waiting jobs',
  `
local jobs = {}
local function look(ids)
  for _, id in ipairs(ids) do
    local job = redis.call('HMGET', ARGV[1] .. id, 'name', 'data')
    if job[2] then jobs[#jobs + 1] = { job[1] or '', string.sub(job[2], 1, 16) } end
  end
end
look(redis.call('LRANGE', KEYS[1], 0, ARGV[2] - 1))
look(redis.call('LRANGE', KEYS[1], -ARGV[2], -1))
look(redis.call('ZRANGE', KEYS[2], 0, ARGV[2] - 1))
look(redis.call('ZRANGE', KEYS[3], 0, ARGV[2] - 1))
return jobs`,
)

/** A warning of queues in which jobs of another program wait: workers leave them alone, and that program may take ours. */
export async function othersJobs(
  { client, names }: Connection,
  queues: readonly string[],
  subject: string,
): Promise<Problem[]> {
  const found = await Promise.all(
    queues
      .flatMap((queue) => names.queuesOf(queue))
      .map(async (queue) => {
        const key = (what: string): string => names.job(queue, what)
        const keys = [key('wait'), key('prioritized'), key('delayed')]
        const jobs = await WAITING.run(client, keys, [key(''), LOOKED_AT])
        const other = jobs.find(([, data]) => faultOf(data ?? '') !== undefined)
        return other && { queue, name: other[0] ?? '' }
      }),
  )
  return found
    .filter((each) => each !== undefined)
    .map(({ queue, name }) => ({
      level: 'warning',
      message: `${subject}: in "${names.prefix}:${queue}" waits a job that another program has added ("${oneLine(briefName(name))}"): workers of tasks leave such jobs alone, and its workers may take yours.`,
      hint: 'Give this backend an OPTIONS.prefix of its own; the default is tasks-<alias>.',
    }))
}
