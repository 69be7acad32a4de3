import { MOST_COUNTED, type Pause, type QueueState, type WorkerState } from '../../../lib/browser'
import { isRecord } from '../../../lib/errors/option-checks'
import { serves } from '../../database/browsing/queues'
import { parsed } from '../../parsed'
import type { Connection } from '../connection'
import { millisecondsOf } from '../read'
import { Script } from '../script'

/** Jobs of one queue that are looked at for the one that has been due for longest, where priorities put others first. */
const LOOKED_AT = 100

/**
 * How many jobs of a queue of BullMQ are due, later, wait for others and run, and when the oldest came to be due. ARGV: what its
 * keys begin with, now, how many are looked at.
 */
const STATE = new Script<
  readonly [due: number, later: number, waiting: number, running: number, since: string]
>(
  'queueState',
  `
local queue, now = ARGV[1], tonumber(ARGV[2])
local border = (now + 1) * 4096 - 1
local over = redis.call('ZCOUNT', queue .. 'delayed', '-inf', border)
local since = ''
local function older(at)
  at = tonumber(at)
  if at and (since == '' or at < since) then since = at end
end
older(redis.call('HGET', queue .. (redis.call('LINDEX', queue .. 'wait', -1) or ''), 'timestamp'))
for _, id in ipairs(redis.call('ZRANGE', queue .. 'prioritized', 0, ARGV[3] - 1)) do
  older(redis.call('HGET', queue .. id, 'timestamp'))
end
if over > 0 then older(math.floor(redis.call('ZRANGE', queue .. 'delayed', 0, 0, 'WITHSCORES')[2] / 4096)) end
return {
  redis.call('LLEN', queue .. 'wait') + redis.call('ZCARD', queue .. 'prioritized') + over,
  redis.call('ZCARD', queue .. 'delayed') - over,
  redis.call('ZCARD', queue .. 'waiting-children'),
  redis.call('LLEN', queue .. 'active'),
  since == '' and '' or string.format('%.0f', since),
}`,
)

export interface Beside {
  readonly pauses: readonly Pause[]
  readonly workers: readonly WorkerState[]
  readonly now: Date
}

/** The queues of the settings, as BullMQ counts them: in one round trip, however many tasks there are. */
export function queueStates(
  connection: Connection,
  names: readonly string[],
  beside: Beside,
): Promise<QueueState[]> {
  return Promise.all(names.toSorted().map((name) => queueState(connection, name, beside)))
}

async function queueState(
  { client, names }: Connection,
  name: string,
  { pauses, workers, now }: Beside,
): Promise<QueueState> {
  const states = await Promise.all(
    names
      .queuesOf(name)
      .map((queue) =>
        STATE.run(client, [names.ids], [names.job(queue, ''), now.getTime(), LOOKED_AT]),
      ),
  )
  const sum = (at: 0 | 1 | 2 | 3): number =>
    Math.min(
      MOST_COUNTED,
      states.reduce((all, state) => all + state[at], 0),
    )
  const since = states.flatMap(([, , , , at]) => (at === '' ? [] : [Number(at)]))
  return {
    name,
    due: sum(0),
    later: sum(1),
    waiting: sum(2),
    running: sum(3),
    oldestDueMs: since.length === 0 ? null : Math.max(0, now.getTime() - Math.min(...since)),
    paused: pauses.find(({ queue }) => queue === name) ?? null,
    isServed: workers.some((worker) => !worker.isGone && serves(worker, name)),
  }
}

/** Those that have a record, in the order in which they started. */
export async function workerStates({ client, names }: Connection): Promise<WorkerState[]> {
  const [records, time] = await Promise.all([client.hvals(names.own('workers')), client.time()])
  const now = millisecondsOf(time)
  return records
    .flatMap((text) => {
      const record = parsed(text)
      return isRecord(record) ? [workerState(record as unknown as Recorded, now)] : []
    })
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime())
}

/** As the heartbeat writes it. */
type Recorded = Omit<WorkerState, 'startedAt' | 'seenMsAgo' | 'isGone'> & {
  readonly seenAt: number
  readonly upMs: number
  readonly leaseMs: number
}

function workerState({ seenAt, upMs, leaseMs, ...record }: Recorded, now: number): WorkerState {
  const seenMsAgo = Math.max(0, now - seenAt)
  return { ...record, startedAt: new Date(seenAt - upMs), seenMsAgo, isGone: seenMsAgo > leaseMs }
}
