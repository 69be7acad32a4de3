import { DatabaseError, ResultNotFoundError } from '../../../lib/errors/errors'
import { withRetry } from '../../../lib/errors/history'
import type { TaskStatus } from '../../../lib/row/record'
import { enqueuedKeyOf } from '../../database/enqueueing/shared-values'
import { type RawRow, valuesOf } from '../../database/row'
import { keyTaken } from '../../keys'
import { notFailed } from '../../not-failed'
import { parsed } from '../../parsed'
import type { Connection } from '../connection'
import { KEY_MS } from '../enqueueing/new-job'
import type * as byHand from '../flows/by-hand'
import { parkedKey, placeOf } from '../flows/sets'
import { FIELD, isOfFlow, type Job, rawOf, workersOf } from '../job'
import { jobById } from '../read'
import { OnceScript } from './once'
import { keyOf, letGo } from '../unique-keys'

/** Attempts to have the key: of a hot key a holder may finish before each look. */
const ATTEMPTS = 100

/**
 * Puts a failed job back, due at once: `done`; `changed`: it has not failed, or once more; or the id of another one that has its
 * key. BullMQ's own script knows neither keys nor which failure it is that somebody has seen.
 */
const RETRY = new OnceScript<string>(
  'retry',
  `
local queue, id, claims, key = ARGV[1], ARGV[2], ARGV[3], KEYS[2]
local job = KEYS[1]
if not redis.call('ZSCORE', queue .. 'failed', id) or (redis.call('HGET', job, 'ats') or '0') ~= claims then return 'changed' end
if ARGV[4] == '1' then
  local holder = redis.call('GET', key)
  if holder and holder ~= id then return holder end
  redis.call('SET', key, id, 'PX', ARGV[5])
end
redis.call('ZREM', queue .. 'failed', id)
redis.call('HDEL', job, 'finishedOn', 'failedReason', 'stacktrace', 'returnvalue', 'progress', '${FIELD.error}', '${FIELD.cancel}')
redis.call('HSET', job, 'delay', 0, '${FIELD.due}', 0, '${FIELD.errors}', ARGV[6], '${FIELD.workers}', ARGV[7], '${FIELD.until}', claims)
local priority = tonumber(redis.call('HGET', job, 'priority') or 0)
if ARGV[9] == '1' then
  redis.call('ZADD', queue .. 'waiting-children', ARGV[10], id)
  redis.call('ZADD', KEYS[4], 0, ARGV[11])
elseif priority > 0 then
  local counter = redis.call('INCR', queue .. 'pc')
  redis.call('ZADD', queue .. 'prioritized', string.format('%.0f', priority * 0x100000000 + counter % 0x100000000), id)
else
  redis.call('LPUSH', queue .. 'wait', id)
end
redis.call('XADD', queue .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'waiting', 'jobId', id, 'prev', 'failed')
redis.call('PUBLISH', KEYS[3], ARGV[8])
return 'done'`,
)

interface Retrying {
  readonly alias: string
  readonly queues: readonly string[]
}

/**
 * Makes a FAILED job READY, due at once, and gives it as it is then. Its unique key is taken again.
 *
 * @throws ResultNotFoundError if there is no such job; NotSupportedError unless it is FAILED, or if another one has its key.
 */
export async function retryJob(
  connection: Connection,
  id: string,
  asking: Retrying,
): Promise<RawRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await failedJob(connection, id, asking)
    const step = isOfFlow(found.job) ? stepOf(connection, asking.alias, found.job) : undefined
    await step?.assertMayWait()
    const reply = await RETRY.run(...retryOf(connection, found, step?.isStep))
    if (reply === 'done') {
      await step?.retried()
      return (await jobOf(connection, id, asking)).row
    }
    if (reply !== 'changed')
      await letGo(connection, ...(await leftOver(connection, found, reply, asking)))
  }
  throw new DatabaseError(
    `Task ${id} could not be retried: its unique key was taken and free again ${ATTEMPTS} times meanwhile.`,
    'Retry it again.',
  )
}

async function jobOf(
  connection: Connection,
  id: string,
  { alias, queues }: Retrying,
): Promise<Pick<Found, 'job' | 'row'>> {
  const job = await jobById(connection, queues, id)
  if (!job) throw new ResultNotFoundError(id)
  return { job, row: rawOf(job, alias) }
}

async function failedJob(connection: Connection, id: string, asking: Retrying): Promise<Found> {
  const { job, row } = await jobOf(connection, id, asking)
  if (row.status !== 'FAILED') throw notFailed(id, row.task_path ?? '', row.status as TaskStatus)
  return { job, row, key: enqueuedKeyOf(parsed(row.options)) }
}

/**
 * The key and its holder, which has finished, so that the key may be had.
 *
 * @throws NotSupportedError if the holder may still run.
 */
async function leftOver(
  connection: Connection,
  { row, key }: Found,
  holderId: string,
  { alias, queues }: Retrying,
): Promise<[key: string, holderId: string]> {
  const holder = await jobById(connection, queues, holderId)
  const held = holder && valuesOf(rawOf(holder, alias))
  if (held?.status === 'READY' || held?.status === 'RUNNING') throw keyTaken(valuesOf(row), held)
  return [key ?? '', holderId]
}

interface Found {
  readonly job: Job
  readonly row: RawRow
  /** That it was enqueued with, as it is stored. */
  readonly key: string | null
}

function stepOf(...given: ConstructorParameters<typeof byHand.StepByHand>): byHand.StepByHand {
  const { StepByHand } = require('../flows/by-hand') as typeof byHand
  return new StepByHand(...given)
}

/** `isStep`: it waits for others of its flow again, which may have been retried, too. */
function retryOf(
  connection: Connection,
  { job, row, key }: Found,
  isStep = false,
): Parameters<typeof RETRY.run> {
  const { names } = connection
  const { id, queue } = job
  // A FAILED row's errors end with that which made it so.
  const { errors, queueName } = valuesOf(row)
  const last = errors.at(-1) ?? { exceptionClassPath: '', traceback: '' }
  return [
    connection,
    [names.job(queue, id), keyOf(connection, key ?? ''), names.wakeups, parkedKey(names)],
    [
      names.job(queue, ''),
      id,
      String(row.claims ?? 0),
      key === null ? 0 : 1,
      KEY_MS.others,
      JSON.stringify(withRetry(errors.slice(0, -1), last)),
      JSON.stringify(workersOf(job)),
      JSON.stringify({ what: 'ready', queue: queueName }),
      isStep ? 1 : 0,
      Date.now(),
      placeOf(id, queue),
    ],
  ]
}
