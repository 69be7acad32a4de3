import type { Connection } from '../connection'
import { KEY_MS } from '../enqueueing/new-job'
import { errorsOf, FIELD, type Job } from '../job'
import { Script } from '../script'
import { keyOf } from '../unique-keys'

/** While the claim of that token holds the job. Another job that has the key meanwhile keeps it. */
const REBUILD = new Script<number>(
  'rebuild',
  `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], '${FIELD.errors}', ARGV[2])
redis.call('HDEL', KEYS[1], '${FIELD.error}')
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[4]) end
return 1`,
)

/**
 * A failed job that a dashboard of BullMQ has put back still says why it failed. Its history is written before its next outcome
 * could take the place of that, and it takes its unique key again.
 */
export function rebuild(connection: Connection, job: Job, token: string): void {
  const { client, names } = connection
  const key = names.job(job.queue, job.id)
  const unique = job.fields['deid'] ?? ''
  const holder = unique.startsWith('f:') ? job.id : ''
  void REBUILD.run(
    client,
    [key, `${key}:lock`, keyOf(connection, unique)],
    [token, errorsOf(job) ?? '[]', holder, KEY_MS.others],
  ).catch(() => {})
}
