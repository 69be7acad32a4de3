import type { Connection } from './connection'
import type { Job, JobState } from './job'
import { Script } from './script'

type Looked = [fields: string[], state: JobState, queue: string]

/** Lua: `look(prefix, queue, id)` gives the hash of a job, its state, and its queue; BullMQ tells the state by the collection that has the id. */
export const LOOK = `
local function stateOf(queue, id, finishedOn, processedOn)
  if finishedOn then return redis.call('ZSCORE', queue .. 'failed', id) and 'failed' or 'completed' end
  if processedOn and redis.call('LPOS', queue .. 'active', id) then return 'active' end
  return redis.call('ZSCORE', queue .. 'waiting-children', id) and 'parked' or 'waiting'
end
local function look(prefix, name, id)
  local queue = prefix .. name .. ':'
  local fields = redis.call('HGETALL', queue .. id)
  if #fields == 0 then return nil end
  local when = redis.call('HMGET', queue .. id, 'finishedOn', 'processedOn')
  return { fields, stateOf(queue, id, when[1], when[2]), name }
end
`

/** Lua: `queueOf(ids, prefix, id, queues)` gives BullMQ's name of the queue that has a job; nil: none has it. */
export const QUEUE_OF = `
local function queueOf(ids, prefix, id, queues)
  local member = redis.call('ZRANGEBYLEX', ids, '[' .. id .. ':', '(' .. id .. ';', 'LIMIT', 0, 1)[1]
  if member then return string.sub(member, #id + 2) end
  for _, name in ipairs(queues) do
    if redis.call('EXISTS', prefix .. name .. ':' .. id) == 1 then return name end
  end
end
`

const BY_ID = new Script<Looked | null>(
  'byId',
  `${LOOK}${QUEUE_OF}
local name = queueOf(KEYS[1], ARGV[1], ARGV[2], cjson.decode(ARGV[3]))
return name and look(ARGV[1], name, ARGV[2]) or nil`,
)

/** Many at once, each an id and a queue. Those that are gone are left out. */
const MANY = new Script<(Looked & { 3: string })[]>(
  'many',
  `${LOOK}
local found = {}
for at = 2, #ARGV, 2 do
  local job = look(ARGV[1], ARGV[at + 1], ARGV[at])
  if job then
    job[4] = ARGV[at]
    found[#found + 1] = job
  end
end
return found`,
)

/** The job of an id, in whichever of these queues of ours it is: one round trip. */
export async function jobById(
  connection: Connection,
  queueNames: readonly string[],
  id: string,
): Promise<Job | undefined> {
  const { client, names } = connection
  const found = await BY_ID.run(
    client,
    [names.ids],
    [names.beginning, id, JSON.stringify(namesOf(connection, queueNames))],
  )
  return found ? jobOf(id, found) : undefined
}

/** The job of an id in a queue of BullMQ. */
export async function jobIn(
  connection: Connection,
  queue: string,
  id: string,
): Promise<Job | undefined> {
  return (await jobsIn(connection, [{ queue, id }]))[0]
}

/** The same for many, without those that are gone. */
export async function jobsIn(
  { client, names }: Connection,
  places: readonly { readonly queue: string; readonly id: string }[],
): Promise<readonly Job[]> {
  if (places.length === 0) return []
  const args = places.flatMap(({ queue, id }) => [id, queue])
  const found = await MANY.run(client, [names.ids], [names.beginning, ...args])
  return found.map((each) => jobOf(each[3], each))
}

/** BullMQ's names of queues of ours. */
export function namesOf({ names }: Connection, queueNames: readonly string[]): readonly string[] {
  return queueNames.flatMap((each) => names.queuesOf(each))
}

/** A job as `look` of Lua gives it. */
export function jobOf(
  id: string,
  [pairs, state, queue]: readonly [string[], JobState, string, ...unknown[]],
): Job {
  return { id, queue, state, fields: fieldsOf(pairs) }
}

/** Names and values in turn, as Redis gives a hash. */
export function fieldsOf(pairs: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let at = 0; at < pairs.length; at += 2) fields[pairs[at] ?? ''] = pairs[at + 1] ?? ''
  return fields
}

/** Milliseconds since 1970, of a reply to TIME. */
export function millisecondsOf([seconds, microseconds]: readonly (string | number)[]): number {
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
