import type { Pause, PauseOptions } from '../../lib/browser'
import { InvalidSettingsError } from '../../lib/errors/errors'
import { isRecord } from '../../lib/errors/option-checks'
import { shown } from '../../lib/errors/suggestions'
import { parsed } from '../parsed'
import type { Connection } from './connection'
import { OnceScript } from './changes/once'
import { Script } from './script'

/** Lua: BullMQ's own pause and its end, so that its dashboards see them. `now()`: in ms since 1970. */
const HALT = `
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function isHalted(queue) return redis.call('HEXISTS', queue .. ':meta', 'paused') == 1 end
local function halt(queue)
  if isHalted(queue) then return end
  redis.call('HSET', queue .. ':meta', 'paused', 1)
  redis.call('DEL', queue .. ':marker')
  redis.call('XADD', queue .. ':events', 'MAXLEN', '~', 10000, '*', 'event', 'paused')
end
local function go(queue)
  if not isHalted(queue) then return end
  redis.call('HDEL', queue .. ':meta', 'paused')
  redis.call('ZADD', queue .. ':marker', 0, '0')
  redis.call('XADD', queue .. ':events', 'MAXLEN', '~', 10000, '*', 'event', 'resumed')
end
`

/** The instant of the pause; its negative value if it would have ended by then. */
const PAUSE = new OnceScript<number>(
  'pauseQueue',
  `${HALT}
local at = now()
if ARGV[4] ~= '' and tonumber(ARGV[4]) <= at then return -at end
halt(ARGV[2])
halt(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', at) .. ' ' .. ARGV[5])
redis.call('PUBLISH', KEYS[2], ARGV[6])
return at`,
)

const RESUME = new OnceScript<number>(
  'resumeQueue',
  `${HALT}
local isPaused = isHalted(ARGV[3]) and 1 or 0
local known = redis.call('HGET', KEYS[1], ARGV[1])
local ends = known and tonumber(string.match(known, '"until":(%d+)'))
if ends and ends <= now() then isPaused = 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
go(ARGV[2])
go(ARGV[3])
redis.call('PUBLISH', KEYS[2], ARGV[4])
return isPaused`,
)

/**
 * The queues that are paused, each with what is kept of it. What BullMQ says of the usual queue is what holds, since its dashboards
 * know one queue only: where it is paused and nothing is kept, so it is from now on, and where it is not, the pause is over. So is
 * one of which the time has come.
 */
const PAUSED = new Script<string[]>(
  'pausedQueues',
  `${HALT}
local at, found = now(), {}
for i = 1, #ARGV, 3 do
  local name, urgent, usual = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local known = redis.call('HGET', KEYS[1], name)
  local ends = known and tonumber(string.match(known, '"until":(%d+)'))
  if ends and ends <= at then go(usual) end
  if not isHalted(usual) then
    if known then
      redis.call('HDEL', KEYS[1], name)
      go(urgent)
    end
  else
    if not known then
      known = string.format('%.0f', at) .. ' {}'
      redis.call('HSET', KEYS[1], name, known)
      halt(urgent)
    end
    found[#found + 1] = name
    found[#found + 1] = known
  end
end
return found`,
)

/** @throws InvalidSettingsError for an end that is past, by the clock of Redis. */
export async function pause(
  connection: Connection,
  queue: string,
  { reason, until }: PauseOptions,
): Promise<Pause> {
  const { names } = connection
  const said = JSON.stringify({ until: until?.getTime(), reason })
  const [urgent, usual] = prefixesOf(names, queue)
  const at = await PAUSE.run(
    connection,
    [names.pauses, names.wakeups],
    [queue, urgent, usual, until ? until.getTime() : '', said, wakeup(queue)],
  )
  if (at < 0)
    throw new InvalidSettingsError(
      `Pause of the queue ${shown(queue)}, until: expected a Date to come, found ${until?.toISOString()}; by the clock of Redis it is ${new Date(-at).toISOString()}.`,
      'Leave it out for a pause that lasts until the queue is resumed.',
    )
  return { queue, at: new Date(at), until: until ?? null, reason: reason ?? null }
}

/** Resolves to false if the queue was not paused. */
export async function resume(connection: Connection, queue: string): Promise<boolean> {
  const { names } = connection
  const [urgent, usual] = prefixesOf(names, queue)
  const args = [queue, urgent, usual, wakeup(queue)]
  return (await RESUME.run(connection, [names.pauses, names.wakeups], args)) === 1
}

/** The pauses of these queues that have not ended, by name. Ends those of which the time has come. */
export async function pausedQueues(
  { client, names }: Connection,
  queues: readonly string[],
): Promise<readonly Pause[]> {
  if (queues.length === 0) return []
  const args = queues.flatMap((name) => [name, ...prefixesOf(names, name)])
  const found = await PAUSED.run(client, [names.pauses], args)
  return Array.from({ length: found.length / 2 }, (_, i) =>
    pauseOf(found[2 * i] ?? '', found[2 * i + 1] ?? ''),
  ).toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
}

/** `text`: the instant, and JSON. */
function pauseOf(queue: string, text: string): Pause {
  const space = text.indexOf(' ')
  const said = parsed(text.slice(space + 1))
  const { until, reason } = isRecord(said) ? said : {}
  return {
    queue,
    at: new Date(Number(text.slice(0, space))),
    until: typeof until === 'number' ? new Date(until) : null,
    reason: typeof reason === 'string' ? reason : null,
  }
}

function prefixesOf(names: Connection['names'], queue: string): [urgent: string, usual: string] {
  const [urgent, usual] = names.queuesOf(queue)
  return [names.beginning + urgent, names.beginning + usual]
}

function wakeup(queue: string): string {
  return JSON.stringify({ what: 'pause', queue })
}
