import type { ChainableCommander } from 'ioredis'
import { scheduleOf, slotIn } from '../../keys'
import type { Wakeup } from '../../../lib/store'
import { bullScripts } from '../bull-scripts'
import type { Client, Connection } from '../connection'
import type { Names } from '../names'
import type { BareJob } from './new-job'

/** A command of ioredis, and what it takes. */
export interface Call {
  readonly command: string
  readonly args: unknown[]
}

const PREFIX = 'typeormTasks:'

/** The arguments that BullMQ's own scripts take. */
const OWN = 3

export interface Adding {
  /** It waits for others. */
  readonly isParked?: boolean
  readonly wakeup?: Wakeup
  /** Keys in place of those by which it would be seen: the job is in no queue. */
  readonly instead?: { readonly index: string; readonly events: string }
}

/**
 * The command that adds a job: BullMQ's script for it, and in the same step what finds it again, which is the index of all jobs, and
 * the newest slot of its schedule; then idle workers are told, if `wakeup` says so. Several commands take twice the time (measured).
 * The reply is the id of the job that stands for it: its own, or that of who holds its key.
 */
export function addCall(
  connection: Connection,
  job: BareJob,
  { isParked = false, wakeup, instead }: Adding = {},
): Call {
  const { names, client, alias } = connection
  const queue = connection.queue(job.queue)
  let call: Call | undefined
  const take = (name: string, args: unknown[]): void => {
    const { command, numberOfKeys } = commandFor(name, client, alias)
    args.splice(numberOfKeys, 0, instead?.index ?? names.ids)
    args.push(`${job.id}:${job.queue}`, ...moreOf(job, names, wakeup))
    call = { command, args }
  }
  // Keys are of all queues, and not of the one that the job is in.
  const own = job.key === null ? queue.keys : { ...queue.keys, de: names.keys }
  const keys = instead ? { ...own, 'waiting-children': instead.index, events: instead.events } : own
  // It takes a transaction of BullMQ's kind, and gives it the command at once.
  void queue.addJobToTransaction(
    { runCommand: take } as never,
    job.json as never,
    job.id,
    { addToWaitingChildren: isParked || instead !== undefined } as never,
    keys,
  )
  if (!call) throw new Error('BullMQ has added no job.')
  return call
}

/** Calls it on a client, or as a step of a pipeline or transaction that the client has begun since `addCall`. */
export function callOn<Reply>(
  on: Client | ChainableCommander,
  { command, args }: Call,
): Promise<Reply> {
  const commands = on as unknown as Record<string, (args: unknown[]) => Promise<Reply>>
  return commands[command]?.(args) ?? Promise.reject(new Error(`No command ${command}.`))
}

/** Defined on the client. */
function commandFor(
  versioned: string,
  client: Client,
  alias: string,
): { readonly command: string; readonly numberOfKeys: number } {
  const own = bullScripts(alias).get(versioned)
  if (!own) throw new Error(`BullMQ has no script "${versioned}".`)
  const { lua, numberOfKeys } = own
  const command = PREFIX + versioned
  if (!(command in client))
    client.defineCommand(command, {
      lua: around(lua, numberOfKeys),
      numberOfKeys: numberOfKeys + 1,
    })
  return { command, numberOfKeys }
}

/** An argument more is 1 % of what an enqueue costs, so the rare ones are left out where they say nothing. */
function around(lua: string, numberOfKeys: number): string {
  const [member, slots, schedule, slot, channel, message] = [1, 2, 3, 4, 5, 6].map((n) => OWN + n)
  return `
local function add()
${lua}
end
local added = add()
if added ~= string.sub(ARGV[${member}], 1, 36) then return added end
redis.call('ZADD', KEYS[${numberOfKeys + 1}], 0, ARGV[${member}])
if ARGV[${slots}] and ARGV[${slots}] ~= '' then redis.call('ZADD', ARGV[${slots}], 'GT', ARGV[${slot}], ARGV[${schedule}]) end
if ARGV[${channel}] then redis.call('PUBLISH', ARGV[${channel}], ARGV[${message}]) end
return added`
}

const NOTHING: readonly string[] = []

/** By the newest slot of a schedule it is known which have had their turn. */
function moreOf(
  { key }: BareJob,
  names: Names,
  wakeup: Wakeup | undefined,
): readonly (string | number)[] {
  if (key === null && !wakeup) return NOTHING
  const schedule = scheduleOf(key)
  const at = schedule && slotIn(schedule, key)
  const slot = schedule && at ? [names.slots, schedule, at.getTime()] : []
  if (!wakeup) return slot
  return [...(slot.length > 0 ? slot : ['', '', '']), names.wakeups, JSON.stringify(wakeup)]
}
