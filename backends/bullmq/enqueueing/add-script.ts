import { scheduleOf, slotIn } from '../../keys'
import type { Wakeup } from '../../../lib/store'
import { bullScripts } from '../bull-scripts'
import type { Connection } from '../connection'
import { Script } from '../script'
import type { BareJob } from './new-job'

/** One call of a script. */
export interface Call {
  readonly script: Script<string>
  readonly keys: readonly string[]
  readonly args: readonly (string | number | Buffer)[]
}

/** The arguments that BullMQ's own scripts take. */
const OWN = 3

const scripts = new Map<string, Script<string>>()

/**
 * The call that adds a job, by BullMQ's script for it, and in the same step what finds it again: the index of all jobs, and the
 * newest slot of its schedule; then idle workers are told, if `wakeup` says so. One command costs half of what two do (measured).
 * The reply is the id of the job that stands for it: its own, or that of who holds its key.
 */
export function addCall(
  connection: Connection,
  job: BareJob,
  { isParked = false, wakeup }: { readonly isParked?: boolean; readonly wakeup?: Wakeup } = {},
): Call {
  const { names, alias } = connection
  const queue = connection.queue(job.queue)
  let call: Call | undefined
  const take = (name: string, given: readonly (string | Buffer)[]): void => {
    const { script, numberOfKeys } = scriptOf(name, alias)
    const keys = [...given.slice(0, numberOfKeys).map(String), names.ids, names.slots]
    const told = wakeup ? [names.wakeups, JSON.stringify(wakeup)] : ['', '']
    const args = [...given.slice(numberOfKeys), job.id, `${job.id}:${job.queue}`, ...slotOf(job)]
    call = { script, keys, args: [...args, ...told] }
  }
  // Keys are of all queues, and not of the one that the job is in.
  const keys = job.key === null ? queue.keys : { ...queue.keys, de: names.keys }
  // It takes a transaction of BullMQ's kind, and gives it the command at once.
  void queue.addJobToTransaction(
    { runCommand: take } as never,
    job.json as never,
    job.id,
    { addToWaitingChildren: isParked } as never,
    keys,
  )
  if (!call) throw new Error('BullMQ has added no job.')
  return call
}

function scriptOf(
  versioned: string,
  alias: string,
): { script: Script<string>; numberOfKeys: number } {
  const name = versioned.split(':')[0] ?? ''
  const own = bullScripts(alias).get(name)
  if (!own) throw new Error(`BullMQ has no script "${name}".`)
  const { lua, numberOfKeys } = own
  const script = scripts.get(name) ?? new Script<string>(name, around(lua, numberOfKeys))
  scripts.set(name, script)
  return { script, numberOfKeys }
}

function around(lua: string, numberOfKeys: number): string {
  const [ids, slots] = [numberOfKeys + 1, numberOfKeys + 2]
  const [id, member, schedule, slot, channel, message] = [1, 2, 3, 4, 5, 6].map((n) => OWN + n)
  return `
local function add()
${lua}
end
local added = add()
if added ~= ARGV[${id}] then return added end
redis.call('ZADD', KEYS[${ids}], 0, ARGV[${member}])
if ARGV[${schedule}] ~= '' then redis.call('ZADD', KEYS[${slots}], 'GT', ARGV[${slot}], ARGV[${schedule}]) end
if ARGV[${channel}] ~= '' then redis.call('PUBLISH', ARGV[${channel}], ARGV[${message}]) end
return added`
}

/** By the newest of a schedule it is known which slots have had their turn. */
function slotOf({ key }: BareJob): [schedule: string, at: number | string] {
  const schedule = scheduleOf(key)
  const at = schedule && slotIn(schedule, key)
  return schedule && at ? [schedule, at.getTime()] : ['', '']
}
