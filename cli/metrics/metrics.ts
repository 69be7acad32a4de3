import { AggregatorRegistry, register as registry } from 'prom-client'
import { register } from '../../integrations/prometheus'
import type { Answer } from '../http/routes'
import { answerMetrics } from './ask-child'
import type { MetricsOptions } from './options'

/** The metrics of this process; those of the app in the same registry are among them. */
export function ownMetrics({ metricsQueues = false }: MetricsOptions): () => Promise<Answer> {
  register(registry, { queues: metricsQueues })
  return async () => shown(await registry.metrics())
}

/** Measures this process, and tells its supervisor, who asks. */
export function metricsForSupervisor({ metricsQueues = false }: MetricsOptions): void {
  register(registry, { queues: metricsQueues })
  answerMetrics(() => registry.getMetricsAsJSON())
}

type Collected = Parameters<typeof AggregatorRegistry.aggregate>[0]

/** The metrics of several processes as those of one: counters and histograms add up. */
export async function summed(collected: readonly (readonly object[])[]): Promise<Answer> {
  const metrics = collected.map((each) => [...each]) as Collected
  return shown(await AggregatorRegistry.aggregate(metrics).metrics())
}

function shown(body: string): Answer {
  return { status: 200, type: registry.contentType, body }
}
