import { UsageError } from '../../lib/errors/errors'
import type { Answer, Site } from '../http/routes'
import type { Measured } from './ask-child'
import type * as metrics from './metrics'
import type { MetricsOptions } from './options'

/** What all workers of a supervisor measure, the first one first. */
export type CollectFleet = () => Promise<readonly Measured[]>

interface Call extends MetricsOptions {
  readonly processes: number
  /** A supervisor has started this process. */
  readonly supervised?: boolean
}

/** What is measured in this process, and where it is shown. */
export class MetricsSite {
  #collect: CollectFleet = async () => []
  readonly #options: MetricsOptions
  readonly #answer: (() => Promise<Answer>) | undefined

  /**
   * A worker of its own shows its metrics, a supervisor those of its workers, and one of those tells its supervisor.
   *
   * @throws UsageError if the package is missing that it needs, and for options that go with a port, without one.
   */
  constructor(options: Call) {
    this.#options = options
    if (options.metricsPort === undefined) {
      assertNoneWanted(options)
      return
    }
    const { labelled, metricsForSupervisor, ownMetrics } = withPackage()
    if (options.processes > 1) this.#answer = async () => labelled(await this.#collect())
    else if (options.supervised) metricsForSupervisor(options)
    else this.#answer = ownMetrics(options)
  }

  /** Where a supervisor gets the metrics of its workers. */
  collectFrom(fleet: CollectFleet): void {
    this.#collect = fleet
  }

  /** None, if nobody asked for it, or if another process shows it. */
  get sites(): Site[] {
    const { metricsPort: port, metricsHost: host = '127.0.0.1' } = this.#options
    const answer = this.#answer
    if (port === undefined || answer === undefined) return []
    const [portOption, hostOption] = ['--metrics-port', '--metrics-host']
    return [{ port, host, portOption, hostOption, routes: { '/metrics': answer } }]
  }
}

function assertNoneWanted({ metricsHost, metricsQueues }: MetricsOptions): void {
  const option = metricsHost === undefined ? metricsQueues && '--metrics-queues' : '--metrics-host'
  if (!option) return
  throw new UsageError(
    `argument ${option}: only valid with --metrics-port.`,
    `Add --metrics-port or remove ${option}.`,
  )
}

function withPackage(): typeof metrics {
  try {
    return require('./metrics') as typeof metrics
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new UsageError(
      'argument --metrics-port: the package prom-client is not there.',
      'Install it: npm install prom-client.',
      { cause: error },
    )
  }
}
