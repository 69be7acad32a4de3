import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Runs `body` with a connection that does not come back by itself: a server that is not there is an error at once. */
export async function asked<Answer>(
  port: number,
  body: (redis: Redis) => Promise<Answer>,
  password?: string,
): Promise<Answer> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    ...(password === undefined ? {} : { password }),
  })
  // Each failure reaches the caller by its own command.
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await body(redis)
  } finally {
    // Disconnecting what has ended keeps the process alive for two seconds.
    if (redis.status !== 'end') redis.disconnect()
  }
}

/** The value of one line of INFO, such as `redis_version`. */
export async function infoOf(redis: Redis, name: string): Promise<string> {
  const line = (await redis.info()).split('\r\n').find((each) => each.startsWith(`${name}:`))
  return line?.slice(name.length + 1) ?? ''
}

/** Asks again until `isSo`, for half a minute; a server that does not answer is asked again, too. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000
  let last: unknown
  while (Date.now() < end) {
    try {
      if (await isSo()) return
    } catch (error) {
      last = error
    }
    await sleep(50)
  }
  throw new Error(`Waited 30 s in vain: ${what}.`, { cause: last })
}
