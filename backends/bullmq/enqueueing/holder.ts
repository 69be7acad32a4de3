import { dashed, utcText } from '../../../entities/formats'
import type { Order, TaskKey } from '../../../lib/order'
import type { RawRow } from '../../database/row'
import { assertHolds } from '../../keys'
import { keeps } from '../../memory/row'
import type { Connection } from '../connection'
import { dataOf, type Job, optionsIn, rawOf } from '../job'
import { jobOf, LOOK, millisecondsOf, QUEUE_OF } from '../read'
import { Script } from '../script'
import { keyOf } from '../unique-keys'

/** Of a job that holds a key, and the time of Redis. */
const HOLDER = new Script<[Parameters<typeof jobOf>[1] | null, string[]]>(
  'holder',
  `${LOOK}${QUEUE_OF}
local name = queueOf(KEYS[1], ARGV[1], ARGV[2], {})
return { name and look(ARGV[1], name, ARGV[2]) or false, redis.call('TIME') }`,
)

/**
 * Has a job that waits do so anew, with other arguments, wherever it waits: it may be due by now. BullMQ's own script can do that
 * only for one that is delayed. 0: it waits no more, or has lost the key.
 */
const POSTPONE = new Script<number>(
  'postpone',
  `
local queue, id, wait, last = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('GET', KEYS[2]) ~= id then return 0 end
if redis.call('ZREM', queue .. 'delayed', id) == 0 and redis.call('ZREM', queue .. 'prioritized', id) == 0
  and redis.call('LREM', queue .. 'wait', 1, id) == 0 then return 0 end
local time = redis.call('TIME')
local due = math.min(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + wait, last)
local text = string.format('%.0f', due)
local delay = string.format('%.0f', due - tonumber(redis.call('HGET', KEYS[1], 'timestamp')))
local opts = string.gsub(redis.call('HGET', KEYS[1], 'opts'), '"delay":%-?%d+', '"delay":' .. delay)
redis.call('HSET', KEYS[1], 'data', ARGV[3], 'delay', delay, 'opts', opts)
redis.call('ZADD', queue .. 'delayed', string.format('%.0f', due * 4096), id)
redis.call('XADD', queue .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'delayed', 'jobId', id, 'delay', text)
return due`,
)

/** What a key is asked for: a call, or a row of a table that was one. */
export interface KeyedOrder extends Pick<Order, 'key' | 'argsKwargs'> {
  readonly task: { readonly name: string }
}

/** What stands in the place of a new row, since it keeps the key of the order; undefined: the key may be had. */
export async function standingFor(
  connection: Connection,
  { order, key }: { readonly order: KeyedOrder; readonly key: string },
  holderId: string,
  alias: string,
): Promise<RawRow | undefined> {
  const { client, names } = connection
  const [found, time] = await HOLDER.run(client, [names.ids], [names.beginning, holderId])
  if (!found || !order.key) return undefined
  const holder = jobOf(holderId, found)
  const row = rawOf(holder, alias)
  // The row of a slot stands for it for ever, also after a deploy that runs another task at that time.
  if (order.key.kind === 'slot') return row
  if (!keeps({ ...row, leaseEnds: null }, order.key, millisecondsOf(time))) return undefined
  assertHolds({ id: dashed(row.row_key), taskName: row.task_path ?? '' }, order)
  if (order.key.kind !== 'debounce') return row
  return postponed(connection, { holder, row, key }, order.argsKwargs, order.key)
}

interface Holding {
  readonly holder: Job
  readonly row: RawRow
  readonly key: string
}

/** The row as it is then; undefined if it was claimed meanwhile. */
async function postponed(
  connection: Connection,
  { holder, row, key }: Holding,
  argsKwargs: string,
  { wait, atMost }: TaskKey & { readonly kind: 'debounce' },
): Promise<RawRow | undefined> {
  const { client, names } = connection
  const { id, queue, fields } = holder
  const data = dataOf(argsKwargs, optionsIn(fields['data'] ?? ''))
  const last = atMost === null ? Number.MAX_SAFE_INTEGER : Number(fields['timestamp']) + atMost
  const due = await POSTPONE.run(
    client,
    [names.job(queue, id), keyOf(connection, key)],
    [names.job(queue, ''), id, data, Math.round(wait), Math.round(last)],
  )
  if (due === 0) return undefined
  const changed = rawOf({ ...holder, fields: { ...fields, data } }, row.backend_name ?? '')
  return { ...changed, run_after: utcText(new Date(due)) }
}
