import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { BoundedLabels } from '../metrics/bounded-labels'
import type { Meters } from '../metrics/measure'
import type { Metric } from '../metrics/table'

/** Metrics in a registry. `names` gets the names of all. */
export function metersOf(registry: Registry, names: string[]): Meters {
  const bounded = new BoundedLabels()
  const configOf = ({ prometheus: name, help, labels, together = 'sum' }: Metric) => {
    names.push(name)
    return { name, help, labelNames: [...labels], registers: [registry], aggregator: together }
  }
  return {
    counter: (metric) => {
      const counter = new Counter(configOf(metric))
      return (value, labels) => counter.inc(bounded.of(metric.labels, labels), value)
    },
    histogram: (metric) => {
      const buckets = [...metric.buckets, ...(metric.longer ?? [])]
      const histogram = new Histogram({ ...configOf(metric), buckets })
      return (value, labels) => histogram.observe(bounded.of(metric.labels, labels), value)
    },
    gauge: (metric, read) => {
      const gauge: Gauge = new Gauge({
        ...configOf(metric),
        collect: async () => {
          const samples = await read()
          gauge.reset()
          for (const { value, labels } of samples)
            gauge.set(bounded.of(metric.labels, labels), value)
        },
      })
    },
  }
}
