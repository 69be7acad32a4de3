import type { CountQuery, ListQuery } from '../../../lib/backend'
import type { Counts } from '../../../lib/row/record'
import type { Connection } from '../connection'
import type { Job, JobState } from '../job'
import { jobsIn, LOOK } from '../read'
import { Script } from '../script'
import { newestOf, STATES, wholeCounts } from './collections'

/** Jobs that one script looks at, while others wait. */
const CHUNK = 2_000
/** Jobs that are read in one round trip. */
const READ_AT_ONCE = 200
/** What is in the index for so long without a job was not written, or is gone. In ms. */
const GONE_MS = 60_000

type Looked = [last: string, looked: number, found: string[], states: JobState[]]

/**
 * Looks at the next jobs of the index, from the newest on: gives the last one it has looked at, how many, and those that are
 * wanted, with their states where these were asked about. What is not there any more is taken from the index.
 */
const THROUGH = new Script<Looked>(
  'through',
  `${LOOK}
local prefix, from, limit, task = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]
local queues, states = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
local isPlain = task == '' and ARGV[7] == '[]'
local wantedQueues, wantedStates = {}, {}
for _, name in ipairs(queues) do wantedQueues[name] = true end
for _, state in ipairs(states) do wantedStates[state] = true end
local time = redis.call('TIME')
local old = tonumber(time[1]) * 1000 - ${GONE_MS}
local members = redis.call('ZREVRANGEBYLEX', KEYS[1], from, '-', 'LIMIT', 0, ARGV[3])
local found, foundStates, last, looked = {}, {}, '', 0
for _, member in ipairs(members) do
  last = member
  looked = looked + 1
  local id, name = string.sub(member, 1, 36), string.sub(member, 38)
  if ARGV[6] == '[]' or wantedQueues[name] then
    local queue = prefix .. name .. ':'
    -- One field first: most jobs are told apart by it.
    local own = isPlain or redis.call('HGET', queue .. id, 'name')
    if not own then
      if string.sub(id, 15, 15) == '7' and tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) < old then
        redis.call('ZREM', KEYS[1], member)
      end
    elseif isPlain or task == '' or own == task then
      local state = ''
      if ARGV[7] ~= '[]' then
        local when = redis.call('HMGET', queue .. id, 'finishedOn', 'processedOn')
        state = stateOf(queue, id, when[1], when[2])
      end
      if state == '' or wantedStates[state] then
        found[#found + 1] = member
        foundStates[#foundStates + 1] = state
      end
    end
    if #found == limit then break end
  end
end
return { last, looked, found, foundStates }`,
)

const ALL_STATES: readonly JobState[] = ['waiting', 'parked', 'active', 'completed', 'failed']

/** Jobs, the newest first. `queues`: BullMQ's names of those that are wanted, and of all that there are. */
export async function listJobs(
  connection: Connection,
  query: ListQuery,
  queues: Wanted,
): Promise<readonly Job[]> {
  const states = query.status && STATES[query.status]
  const isWanted = ({ state }: Job): boolean => states?.includes(state) ?? true
  const sorted = await newestOf(connection, queues.wanted ?? queues.all, query)
  if (sorted) return (await read(connection, sorted)).filter(isWanted)
  const jobs: Job[] = []
  const scan = { ...query, queues: queues.wanted ?? [], states: states ?? [] }
  for await (const { found } of through(connection, scan)) {
    jobs.push(...(await read(connection, found)).filter(isWanted))
    if (jobs.length >= query.limit) break
  }
  return jobs.slice(0, query.limit)
}

/** The number of jobs in each status. */
export async function countJobs(
  connection: Connection,
  query: CountQuery,
  queues: Wanted,
): Promise<Counts> {
  const { all, wanted = all } = queues
  const whole = await wholeCounts(connection, { wanted, all }, query)
  if (whole) return whole
  const sum: Record<JobState, number> = {
    waiting: 0,
    parked: 0,
    active: 0,
    completed: 0,
    failed: 0,
  }
  const scan = { ...query, limit: CHUNK, queues: queues.wanted ?? [], states: ALL_STATES }
  for await (const { states } of through(connection, scan))
    for (const state of states) sum[state] += 1
  return {
    READY: sum.waiting,
    RUNNING: sum.active,
    FAILED: sum.failed,
    SUCCESSFUL: sum.completed,
    WAITING: sum.parked,
  }
}

export interface Wanted {
  /** Undefined: those of all queues. */
  readonly wanted: readonly string[] | undefined
  readonly all: readonly string[]
}

interface Scan {
  readonly limit: number
  readonly before?: string | undefined
  readonly within?: number | undefined
  readonly taskName?: string | undefined
  readonly queues: readonly string[]
  readonly states: readonly JobState[]
}

interface Step {
  readonly found: readonly string[]
  readonly states: readonly JobState[]
}

async function* through(
  { client, names }: Connection,
  { limit, before, within, taskName = '', queues, states }: Scan,
): AsyncGenerator<Step> {
  let from = before === undefined ? '+' : `(${before}`
  for (let left = within || Number.POSITIVE_INFINITY; left > 0;) {
    const isPlain = taskName === '' && queues.length === 0 && states.length === 0
    const chunk = Math.min(left, isPlain ? Math.min(limit, CHUNK) : CHUNK)
    const args = [names.beginning, from, chunk, Math.min(limit, CHUNK), taskName]
    const lists = [JSON.stringify(queues), JSON.stringify(states)]
    const [last, looked, found, foundStates] = await THROUGH.run(
      client,
      [names.ids],
      [...args, ...lists],
    )
    if (looked === 0) return
    yield { found, states: foundStates }
    left -= looked
    from = `(${last}`
  }
}

/** Members of the index are `<id>:<queue>`. */
async function read(connection: Connection, members: readonly string[]): Promise<readonly Job[]> {
  const jobs: Job[] = []
  for (let at = 0; at < members.length; at += READ_AT_ONCE) {
    const places = members
      .slice(at, at + READ_AT_ONCE)
      .map((member) => ({ id: member.slice(0, 36), queue: member.slice(37) }))
    jobs.push(...(await jobsIn(connection, places)))
  }
  return jobs
}
