import { type Attributes, type Meter } from '@opentelemetry/api'
import { BoundedLabels } from '../metrics/bounded-labels'
import type { Meters } from '../metrics/measure'
import type { Label, Labels, Metric } from '../metrics/table'
import { DESTINATION, ERROR_TYPE, OPERATION, OUTCOME, SYSTEM, SYSTEM_NAME, TASK } from './names'

const ATTRIBUTES: { readonly [Name in Label]: string } = {
  backend: 'typeorm_tasks.backend',
  queue: DESTINATION,
  task: TASK,
  outcome: OUTCOME,
  error: ERROR_TYPE,
  verb: 'typeorm_tasks.verb',
}

/** Metrics as OpenTelemetry has them. `stops` gets what ends the gauges. */
export function metersOf(meter: Meter, stops: (() => void)[]): Meters {
  const bounded = new BoundedLabels()
  const attributesOf = (metric: Metric, labels: Labels): Attributes => ({
    ...(metric.operation && { [SYSTEM]: SYSTEM_NAME, [OPERATION]: metric.operation }),
    ...attributesIn(bounded.of(metric.labels, labels)),
  })
  return {
    counter: (metric) => {
      const counter = meter.createCounter(metric.name, optionsOf(metric))
      return (value, labels) => counter.add(value, attributesOf(metric, labels))
    },
    histogram: (metric) => {
      const advice = { explicitBucketBoundaries: [...metric.buckets] }
      const histogram = meter.createHistogram(metric.name, { ...optionsOf(metric), advice })
      return (value, labels) => histogram.record(value, attributesOf(metric, labels))
    },
    gauge: (metric, read) => {
      const gauge = meter.createObservableGauge(metric.name, optionsOf(metric))
      const observe: Parameters<typeof gauge.addCallback>[0] = async (result) => {
        for (const { value, labels } of await read())
          result.observe(value, attributesOf(metric, labels))
      }
      gauge.addCallback(observe)
      stops.push(() => gauge.removeCallback(observe))
    },
  }
}

function optionsOf({ help, unit }: Metric): { description: string; unit: string } {
  return { description: help, unit }
}

/** What is empty is left out. */
function attributesIn(labels: Readonly<Record<string, string>>): Attributes {
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [ATTRIBUTES[name as Label], value]),
  )
}
