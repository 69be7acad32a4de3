import tearDown from './global-teardown'
import type {} from './redis-setup'

/** Ends the shared Redis, and every other server of the run. */
export default async function tearDownRedis(): Promise<void> {
  await globalThis.specRedis?.stop()
  globalThis.specRedis = undefined
  await tearDown()
}
