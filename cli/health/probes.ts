import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import type * as routes from '../http/routes'
import type { MetricsOptions } from '../metrics/options'
import { MetricsSite } from '../metrics/site'
import type * as healthFiles from './health-file'
import { PATHS, PROBES, type Report, STARTING } from './report'

/** Time in ms between two reports to the supervisor. */
const REPORT_MS = 1_000

/** Who is to know how the worker is. */
export interface ProbeOptions extends MetricsOptions {
  readonly healthPort?: number
  /** Default 127.0.0.1. */
  readonly healthHost?: string
  readonly healthFile?: string
  /** A supervisor has started this process, and serves port and file. */
  readonly supervised?: boolean
}

/** What the probes of a worker are told. Until `show` is called it is starting. */
export class Probes {
  readonly metrics: MetricsSite
  #source = (): Report => STARTING
  #file: healthFiles.HealthFile | undefined
  #reporting: NodeJS.Timeout | undefined

  private constructor(metrics: MetricsSite) {
    this.metrics = metrics
  }

  /**
   * Probes are answered from now on, and metrics are shown. `tell` takes the reports for the supervisor.
   *
   * @throws UsageError if a port is taken, the file cannot be written, a package is missing, and for a host without a port.
   */
  static async open(
    options: ProbeOptions & { readonly processes: number },
    tell: (report: Report) => void,
  ): Promise<Probes> {
    const probes = new Probes(new MetricsSite(options))
    const { healthPort, healthHost, healthFile, supervised } = options
    if (healthHost !== undefined && healthPort === undefined)
      throw new UsageError(
        'argument --health-host: only valid with --health-port.',
        'Add --health-port or remove --health-host.',
      )
    const isAsked = healthPort !== undefined || healthFile !== undefined
    if (!supervised) await probes.#serve(options)
    else if (isAsked) probes.#tellEachSecond(tell)
    return probes
  }

  /** Where reports come from. */
  show(source: () => Report): void {
    this.#source = source
  }

  async close(): Promise<void> {
    clearInterval(this.#reporting)
    await this.#file?.close()
  }

  #tellEachSecond(tell: (report: Report) => void): void {
    tell(this.#source())
    this.#reporting = setInterval(() => tell(this.#source()), REPORT_MS).unref()
  }

  async #serve(options: ProbeOptions): Promise<void> {
    const { healthFile } = options
    await serve('Probes', this.#sites(options), 'Metrics', this.metrics.sites)
    if (healthFile !== undefined) {
      const { HealthFile } = require('./health-file') as typeof healthFiles
      this.#file = await HealthFile.open(healthFile, () => this.#source())
    }
  }

  #sites({ healthPort: port, healthHost: host = '127.0.0.1' }: ProbeOptions): routes.Site[] {
    if (port === undefined) return []
    const [portOption, hostOption] = ['--health-port', '--health-host']
    return [{ port, host, portOption, hostOption, routes: this.#routes() }]
  }

  #routes(): routes.Routes {
    return Object.fromEntries(
      PROBES.map((probe) => [
        PATHS[probe],
        () => {
          const report = this.#source()
          return {
            status: report[probe] ? 200 : 503,
            type: 'application/json',
            body: `${JSON.stringify(report)}\n`,
          }
        },
      ]),
    )
  }
}

/** Serves two kinds of sites, by one server where they have the same port, and says where. */
async function serve(
  name: string,
  sites: readonly routes.Site[],
  otherName: string,
  others: readonly routes.Site[],
): Promise<void> {
  const all = [...sites, ...others]
  if (all.length === 0) return
  // Late: most workers are not asked.
  const { serveRoutes } = require('../http/routes') as typeof routes
  const urls = await serveRoutes(all)
  for (const [i, site] of all.entries()) {
    const paths = Object.keys(site.routes).map((path) => `${urls[i]}${path}`)
    log.info(`${i < sites.length ? name : otherName}: ${paths.join(' ')}`)
  }
}
