import type { Connection } from './connection'
import type { Job, JobState } from './job'
import { Script } from './script'

/** What a job's hash has, and where the job is: BullMQ tells that by the collection which has its id. */
const LOOK = new Script<[fields: string[], state: JobState] | null>(
  'look',
  `
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return nil end
local id = ARGV[1]
local queue = ARGV[2]
local state = 'waiting'
if redis.call('HEXISTS', KEYS[1], 'finishedOn') == 1 then
  state = redis.call('ZSCORE', queue .. 'failed', id) and 'failed' or 'completed'
elseif redis.call('HEXISTS', KEYS[1], 'processedOn') == 1 and redis.call('LPOS', queue .. 'active', id) then
  state = 'active'
elseif redis.call('ZSCORE', queue .. 'waiting-children', id) then
  state = 'parked'
end
return { fields, state }`,
)

/** The job of an id, in whichever of these queues of ours it is: one round trip. */
export async function jobById(
  connection: Connection,
  queueNames: readonly string[],
  id: string,
): Promise<Job | undefined> {
  const { names } = connection
  const found = await Promise.all(
    queueNames.flatMap((each) => names.queuesOf(each)).map((queue) => jobIn(connection, queue, id)),
  )
  return found.find((job) => job !== undefined)
}

/** The job of an id in a queue of BullMQ. */
export async function jobIn(
  { client, names }: Connection,
  queue: string,
  id: string,
): Promise<Job | undefined> {
  const found = await LOOK.run(client, [names.job(queue, id)], [id, names.job(queue, '')])
  return found ? { id, queue, state: found[1], fields: fieldsOf(found[0]) } : undefined
}

function fieldsOf(pairs: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let at = 0; at < pairs.length; at += 2) fields[pairs[at] ?? ''] = pairs[at + 1] ?? ''
  return fields
}
