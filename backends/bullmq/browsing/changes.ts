import { dashed } from '../../../entities/formats'
import { InvalidTaskError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'
import { isUuid } from '../../ids'
import type { Connection } from '../connection'
import { FIELD, isOfFlow, type Job } from '../job'
import { bullPriority, queueNameOf } from '../names'
import { jobById } from '../read'
import { OnceScript } from '../changes/once'
import { keptOf } from '../store/kept'
import { LUA_MEMBER } from '../flows/sets'

/** Lua: takes a job out of those that wait, and are in no flow. */
const LUA_WAITING = `
local function taken(queue, id)
  return redis.call('LREM', queue .. 'wait', 1, id) + redis.call('LREM', queue .. 'paused', 1, id)
    + redis.call('ZREM', queue .. 'prioritized', id) > 0
end
`

/** Deletes a job that has finished, or waits. KEYS: ids. ARGV: what its keys begin with, id, BullMQ's name of its queue, keys. */
const REMOVE = new OnceScript<number>(
  'browserRemove',
  `${LUA_MEMBER}${LUA_WAITING}
local queue, id = ARGV[1], ARGV[2]
local job = queue .. id
if redis.call('ZREM', queue .. 'completed', id) + redis.call('ZREM', queue .. 'failed', id) == 0
  and not taken(queue, id) and redis.call('ZREM', queue .. 'delayed', id) == 0 then return 0 end
local fields = redis.call('HMGET', job, 'deid', '${FIELD.member}')
if fields[1] and redis.call('GET', ARGV[4] .. ':' .. fields[1]) == id then redis.call('DEL', ARGV[4] .. ':' .. fields[1]) end
move(string.sub(KEYS[1], 1, -6), fields[2], id .. ':' .. ARGV[3], 'none')
redis.call('ZREM', KEYS[1], id .. ':' .. ARGV[3])
redis.call('DEL', job, job .. ':logs', job .. ':lock')
redis.call('XADD', queue .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'removed', 'jobId', id, 'prev', 'unknown')
return 1`,
)

/**
 * Deletes jobs that have finished, and such that wait and are in no flow. Kept is what others need: see `keptOf`. Resolves to
 * the ids of those that are gone.
 */
export async function removeJobs(
  connection: Connection,
  { alias, queues }: Place,
  ids: readonly string[],
): Promise<string[]> {
  const { names } = connection
  const gone: string[] = []
  for (const job of await jobsOf(connection, queues, ids)) {
    const { id, queue, state } = job
    const isEnded = state === 'completed' || state === 'failed'
    if (!isEnded && (state !== 'waiting' || isOfFlow(job))) continue
    if (isEnded && (await keptOf(connection, alias, queue, [id])).has(id)) continue
    const args = [names.job(queue, ''), id, queue, names.keys]
    if ((await REMOVE.run(connection, [names.ids], args)) === 1) gone.push(id)
  }
  return gone
}

export interface Place {
  readonly alias: string
  /** Our names. */
  readonly queues: readonly string[]
}

/**
 * Sets the priority of a job that waits; with another sign it is in another queue of BullMQ, and goes there with all that it
 * has. ARGV: what keys begin with in the one and in the other, id, priority of BullMQ, the names of both queues.
 */
const PRIORITISE = new OnceScript<number>(
  'browserPrioritise',
  `${LUA_MEMBER}${LUA_WAITING}
local from, to, id, priority = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local prefix = string.sub(KEYS[1], 1, -6)
local score = redis.call('ZSCORE', from .. 'delayed', id)
local parked = redis.call('ZSCORE', from .. 'waiting-children', id)
if score then redis.call('ZREM', from .. 'delayed', id)
elseif parked then redis.call('ZREM', from .. 'waiting-children', id)
elseif not taken(from, id) then return 0 end
redis.call('HSET', from .. id, 'priority', ARGV[4])
if from ~= to then
  local old, new = id .. ':' .. ARGV[5], id .. ':' .. ARGV[6]
  local member = redis.call('HGET', from .. id, '${FIELD.member}')
  redis.call('RENAME', from .. id, to .. id)
  redis.call('ZREM', KEYS[1], old)
  redis.call('ZADD', KEYS[1], 0, new)
  if redis.call('ZREM', prefix .. '::parked', old) == 1 then redis.call('ZADD', prefix .. '::parked', 0, new) end
  if member then
    local set = prefix .. '::set:' .. string.sub(member, 2, 33)
    move(prefix, member, old, 'none')
    move(prefix, member, new, 'open')
    redis.call('ZADD', set, tonumber(string.sub(member, 34), 16), new)
  end
end
if score then redis.call('ZADD', to .. 'delayed', score, id)
elseif parked then redis.call('ZADD', to .. 'waiting-children', parked, id)
elseif priority == 0 then redis.call('LPUSH', to .. 'wait', id)
else
  local count = redis.call('INCR', to .. 'pc')
  redis.call('ZADD', to .. 'prioritized', string.format('%.0f', priority * 0x100000000 + count % 0x100000000), id)
end
return 1`,
)

/** Sets the priority of jobs that are READY. @throws InvalidTaskError for a priority that no task can have */
export async function prioritiseJobs(
  connection: Connection,
  { queues }: Place,
  ids: readonly string[],
  priority: number,
): Promise<string[]> {
  if (!Number.isInteger(priority) || Math.abs(priority) > 100)
    throw new InvalidTaskError(
      `Expected a priority that is a whole number from -100 to 100, got ${shown(priority)}.`,
      'Give e.g. 10; tasks of a higher priority run first.',
    )
  const { names } = connection
  const changed: string[] = []
  for (const { id, queue, state } of await jobsOf(connection, queues, ids)) {
    if (state !== 'waiting' && state !== 'parked') continue
    const to = names.queueFor(queueNameOf(queue), priority)
    const args = [names.job(queue, ''), names.job(to, ''), id, bullPriority(priority), queue, to]
    if ((await PRIORITISE.run(connection, [names.ids], args)) === 1) changed.push(id)
  }
  return changed
}

async function jobsOf(
  connection: Connection,
  queues: readonly string[],
  ids: readonly string[],
): Promise<readonly Job[]> {
  const uuids = [...new Set(ids.map((id) => dashed(id)))].filter((id) => isUuid(id))
  const found = await Promise.all(uuids.map((id) => jobById(connection, queues, id)))
  return found.filter((job) => job !== undefined)
}
