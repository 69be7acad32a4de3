import setUp, { isTrue, shout } from './global-setup'
import { findRedis, redisHint, startRedis, type RedisServer } from './servers/redis'

declare global {
  var specRedis: RedisServer | undefined
}

/** What every run has, and one Redis for all specs of the project `redis`; under CI a missing Redis fails the run. */
export default async function setUpRedis(): Promise<void> {
  await setUp()
  if (findRedis() === undefined) return tellMissing()
  globalThis.specRedis = await startRedis({ appendonly: true })
  process.env['SPEC_REDIS'] = globalThis.specRedis.url
}

function tellMissing(): void {
  const line = `MISSING: Redis. ${redisHint}`
  if (isTrue(process.env['CI'])) throw new Error(`Under CI Redis must be there.\n${line}`)
  shout([line, 'The specs on Redis are skipped.'])
}
