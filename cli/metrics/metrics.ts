import { AggregatorRegistry, register as registry } from 'prom-client'
import { register } from '../../integrations/prometheus'
import type { Answer } from '../http/routes'
import { answerMetrics, type Measured } from './ask-child'
import type { MetricsOptions } from './options'

/** The metrics of this process; those of the app in the same registry are among them. */
export function ownMetrics({ metricsQueues }: MetricsOptions): () => Promise<Answer> {
  register(registry, { queues: metricsQueues })
  return async () => shown(await registry.metrics())
}

/** Measures this process, and tells its supervisor, who asks. */
export function metricsForSupervisor({ metricsQueues }: MetricsOptions): void {
  register(registry, { queues: metricsQueues })
  answerMetrics(() => registry.getMetricsAsJSON())
}

type Collected = Parameters<typeof AggregatorRegistry.aggregate>[0]
type Metric = Awaited<ReturnType<typeof registry.getMetricsAsJSON>>[number]
type Labels = Metric['values'][number]['labels']

/**
 * The metrics of several processes, each with the label `process`: 1 is the first. No sums, which would fall when a process ends
 * or is silent: Prometheus takes a counter that falls for one that began anew, and counts all of it again.
 */
export async function labelled(fleet: readonly Measured[]): Promise<Answer> {
  const metrics = fleet.map((measured, at) =>
    Array.isArray(measured)
      ? (measured as readonly Metric[]).map((metric) => labelledMetric(metric, String(at + 1)))
      : [],
  )
  const hasFailed = fleet.includes('failed')
  if (hasFailed && metrics.every(({ length }) => length === 0))
    throw new Error('No worker can tell its metrics; their own log lines say why.')
  return shown(await AggregatorRegistry.aggregate(metrics as Collected).metrics())
}

function labelledMetric(metric: Metric, process: string): Metric {
  const values = metric.values.map((each) => ({
    ...each,
    // What is no number in JSON, such as NaN, has become null on its way here.
    value: typeof each.value === 'number' ? each.value : Number.NaN,
    labels: labelsIn(each.labels, process),
  }))
  // Each value stands alone. Some that prom-client leaves out of sums can be told of each process.
  return { ...metric, values, aggregator: 'first' }
}

/** As Prometheus does, where a metric has a label of its own of that name. */
function labelsIn({ process: own, ...others }: Labels, process: string): Labels {
  return own === undefined ? { ...others, process } : { ...others, exported_process: own, process }
}

function shown(body: string): Answer {
  return { status: 200, type: registry.contentType, body }
}
