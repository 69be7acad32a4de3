import { Option } from 'commander'
import { option } from '../command'
import { text, wholeNumber } from '../option-parsers'

/** Who may collect the metrics of the worker. */
export interface MetricsOptions {
  readonly metricsPort?: number
  /** Default 127.0.0.1. */
  readonly metricsHost?: string
  readonly metricsQueues?: boolean
}

export function metricsOptions(): Option[] {
  return [
    option(
      '--metrics-port <number>',
      'Port that answers GET /metrics for Prometheus, with the package prom-client; 0 takes a free one. It may be that of --health-port. (default: none)',
      (name) => wholeNumber(name, { least: 0, most: 65_535 }),
    ),
    option(
      '--metrics-host <address>',
      'Address of that port; 0.0.0.0 for a Prometheus outside of a container. (default: 127.0.0.1)',
      text,
    ),
    new Option(
      '--metrics-queues',
      'Also measure how many tasks of each queue are due, and for how long. One worker that does is enough.',
    ),
    new Option('--no-metrics-queues', 'Set by the supervisor of --processes.').hideHelp(),
  ]
}
