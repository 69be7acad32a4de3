import { Redis } from 'ioredis'

/** Redis has this many databases here; each worker of jest uses one of its own. */
const DATABASES = 64

/** Runs the specs in `body` where there is a Redis; else they are skipped, which was said when the run began. */
export function describeOnRedis(title: string, body: () => void): void {
  const run = process.env['SPEC_REDIS'] === undefined ? describe.skip : describe
  run(title, body)
}

/** The Redis that all specs of the run share, with the database of this worker of jest. */
export function redisUrl(): string {
  const url = process.env['SPEC_REDIS']
  if (url === undefined)
    throw new Error(
      'There is no Redis in this run. Specs that need one are in spec/redis, within describeOnRedis.',
    )
  return `${url}/${Number(process.env['JEST_WORKER_ID'] ?? '1') % DATABASES}`
}

/** A prefix that no other spec uses; the keys that begin with it are deleted after the spec file. */
export function freshPrefix(): string {
  const prefix = `spec-${process.pid}-${Date.now().toString(36)}-${prefixes.length}`
  prefixes.push(prefix)
  return prefix
}

const prefixes: string[] = []

// The module is loaded once for each spec file, so this is the end of that file.
afterAll(async () => {
  if (prefixes.length === 0) return
  const redis = new Redis(redisUrl())
  try {
    for (const prefix of prefixes.splice(0)) await deleteAll(redis, prefix)
  } finally {
    redis.disconnect()
  }
})

async function deleteAll(redis: Redis, prefix: string): Promise<void> {
  // A prefix with a hash tag, {…}, is what Cluster wants of keys that belong together.
  for (const match of [`${prefix}*`, `{${prefix}*`])
    for await (const keys of redis.scanStream({ match, count: 1000 }))
      if (Array.isArray(keys) && keys.length > 0) await redis.unlink(...keys.map(String))
}
