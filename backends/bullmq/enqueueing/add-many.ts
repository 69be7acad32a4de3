import type { ChainableCommander } from 'ioredis'
import type { Connection } from '../connection'
import { Script, UNPACKED } from '../script'
import { type BareJob, PLAIN } from './new-job'

/** What BullMQ's script takes, in its order. */
const KEYS = 'wait paused meta id completed delayed active events marker'.split(' ')

/** The most jobs of one script: Redis does nothing else meanwhile. */
export const PORTION = 100

/**
 * BullMQ's own script for a job, and our index, once for each of several jobs of a queue that have nothing but a name and data: one
 * command for all of them is much less work for both sides than one for each. Gives what it answers for each, or the text of its error in a list.
 */
const ADD_MANY = new Script<readonly AddedOne[]>(
  'addMany',
  (bullMQ) => `${UNPACKED}
local add = ${bullMQ('addStandardJob')}
local prefix, queue, attempts = ARGV[1], ARGV[2], tonumber(ARGV[3])
local keys = { ${KEYS.map((name) => `prefix .. '${name}'`).join(', ')} }
local answers = {}
for at = 4, #ARGV, 4 do
  local id = ARGV[at]
  local args = { prefix, id, ARGV[at + 1], ARGV[at + 2] }
  local isDone, answer = pcall(add, keys, { args, ARGV[at + 3], { attempts = attempts } })
  if isDone and answer == id then redis.call('ZADD', KEYS[1], 0, id .. ':' .. queue) end
  if isDone then
    answers[#answers + 1] = answer
  else
    answers[#answers + 1] = { tostring(type(answer) == 'table' and answer.err or answer) }
  end
end
return answers`,
)

/** An id, or why it could not be added. */
export type AddedOne = string | readonly [error: string]

/** In order: each list is what one command adds. Several in one list are alike: of one queue, with nothing but a name and data. */
export function runsOf(
  jobs: readonly BareJob[],
  isAlone: (job: BareJob) => boolean,
): readonly (readonly BareJob[])[] {
  const runs: BareJob[][] = []
  let open: BareJob[] | undefined
  for (const job of jobs) {
    const mayJoin = isPlain(job) && !isAlone(job)
    if (mayJoin && open && open.length < PORTION && open[0]?.queue === job.queue) open.push(job)
    else {
      const run = [job]
      runs.push(run)
      open = mayJoin ? run : undefined
    }
  }
  return runs
}

/** Nothing but a name and data. */
export function isPlain({ key, json }: BareJob): boolean {
  return key === null && json.opts === PLAIN
}

/** As a step of a pipeline that the client has begun. All are plain, and of one queue. */
export function addMany(
  connection: Connection,
  steps: ChainableCommander,
  jobs: readonly BareJob[],
): void {
  ADD_MANY.add(connection.client, steps, keysOf(connection), argsOf(connection, jobs))
}

/** The same, at once. */
export function addManyNow(
  connection: Connection,
  jobs: readonly BareJob[],
): Promise<readonly AddedOne[]> {
  return ADD_MANY.run(connection.client, keysOf(connection), argsOf(connection, jobs))
}

/** Only one, by which a cluster finds the node: names that are made there cost less than names that are sent. */
function keysOf({ names }: Connection): readonly string[] {
  return [names.ids]
}

function argsOf({ names }: Connection, jobs: readonly BareJob[]): (string | number)[] {
  const queue = jobs[0]?.queue ?? ''
  const args: (string | number)[] = [names.job(queue, ''), queue, PLAIN.attempts]
  for (const { id, json } of jobs) args.push(id, json.name, json.timestamp, json.data)
  return args
}
