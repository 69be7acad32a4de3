import type { Prober } from '../../support/probing'
import { until } from './until'

/** What the probes of a worker answer: live, ready, started. */
export const READY = [200, 200, 200]
export const NOT_READY = [200, 503, 200]

/** Waits until they answer so. */
export async function becomes(probes: Prober, statuses: number[], bound = 30_000): Promise<void> {
  let last: number[] = []
  await until(
    async () => (last = await probes.all()).join() === statuses.join(),
    bound,
    () => `${statuses.join()}; the last was ${last.join()}`,
  )
}
