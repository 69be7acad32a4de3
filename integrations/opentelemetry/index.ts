import { metrics as meterProvider, trace } from '@opentelemetry/api'
import { setTracer } from '../../index'
import { measure } from '../metrics/measure'
import { assertOptions } from '../metrics/options'
import { metersOf } from './meters'
import { metricsAreMute, spansAreMute } from './mute'
import { SCOPE } from './names'
import { TaskTracer } from './task-tracer'

export interface InstrumentOptions {
  /** Makes spans of enqueues and runs, and writes the trace context of an enqueue into its rows. Default true. */
  traces?: boolean | undefined
  /** Measures enqueues, runs, bookkeeping and this process. Default true. */
  metrics?: boolean | undefined
  /**
   * Whether a run is a trace of its own with a link to its enqueue (`'link'`), or part of the trace of its enqueue (`'child'`).
   * Default `'link'`.
   */
  parent?: 'link' | 'child' | undefined
  /**
   * Also measures the queues of all Database backends: how many tasks are due, and for how long. One process that asks is
   * enough, since all would tell the same. Default false.
   */
  queues?: boolean | undefined
}

/** The same in every copy of this module, as bundlers make them. */
const KEY = Symbol.for('typeorm-tasks/opentelemetry')

const BOOLEAN = [true, false]

/**
 * Sends spans and metrics of tasks to the SDK of this process, which must have been started before; so must no worker. A second
 * call takes the place of the first. The function it gives back ends it.
 *
 * @throws InvalidSettingsError for an unknown option, or a value that it cannot have.
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  assertOptions('instrument', options, {
    traces: BOOLEAN,
    metrics: BOOLEAN,
    parent: ['link', 'child'],
    queues: BOOLEAN,
  })
  const { traces = true, metrics = true, parent = 'link', queues = false } = options
  const process = globalThis as { [KEY]?: (() => void) | undefined }
  process[KEY]?.()
  const stops: (() => void)[] = []
  if (traces) {
    const tracer = new TaskTracer(trace.getTracer(SCOPE), parent, spansAreMute())
    setTracer(tracer)
    stops.push(() => removeTracer(tracer))
  }
  if (metrics && !metricsAreMute())
    stops.push(measure(metersOf(meterProvider.getMeter(SCOPE), stops), { queues }))
  const end = (): void => {
    for (const stop of stops.splice(0)) stop()
  }
  process[KEY] = end
  return end
}

/** One that the app has set later stays. */
function removeTracer(tracer: TaskTracer): void {
  const latest = setTracer(undefined)
  if (latest !== tracer) setTracer(latest)
}
