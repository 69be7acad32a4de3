import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import type * as routes from '../http/routes'
import type * as healthFiles from './health-file'
import { PATHS, PROBES, type Report, STARTING } from './report'

/** Time in ms between two reports to the supervisor. */
const REPORT_MS = 1_000

/** Who is to know how the worker is. */
export interface ProbeOptions {
  readonly healthPort?: number
  /** Default 127.0.0.1. */
  readonly healthHost?: string
  readonly healthFile?: string
  /** A supervisor has started this process, and serves port and file. */
  readonly supervised?: boolean
}

/** What the probes of a worker are told. Until `show` is called it is starting. */
export class Probes {
  #source = (): Report => STARTING
  #file: healthFiles.HealthFile | undefined
  #reporting: NodeJS.Timeout | undefined

  /**
   * Probes are answered from now on. `tell` takes the reports for the supervisor.
   *
   * @throws UsageError if the port is taken, or the file cannot be written, and for a host without a port.
   */
  static async open(options: ProbeOptions, tell: (report: Report) => void): Promise<Probes> {
    const probes = new Probes()
    const { healthPort, healthHost, healthFile, supervised } = options
    if (healthHost !== undefined && healthPort === undefined)
      throw new UsageError(
        'argument --health-host: only valid with --health-port.',
        'Add --health-port or remove --health-host.',
      )
    if (healthPort === undefined && healthFile === undefined) return probes
    if (supervised) probes.#tellEachSecond(tell)
    else await probes.#serve(options)
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

  async #serve({ healthPort, healthHost = '127.0.0.1', healthFile }: ProbeOptions): Promise<void> {
    // Late: most workers are not asked.
    if (healthPort !== undefined) {
      const { serveRoutes } = require('../http/routes') as typeof routes
      const [url = ''] = await serveRoutes([
        {
          port: healthPort,
          host: healthHost,
          portOption: '--health-port',
          hostOption: '--health-host',
          routes: this.#routes(),
        },
      ])
      log.info(
        `Probes: ${Object.values(PATHS)
          .map((path) => `${url}${path}`)
          .join(' ')}`,
      )
    }
    if (healthFile !== undefined) {
      const { HealthFile } = require('./health-file') as typeof healthFiles
      this.#file = await HealthFile.open(healthFile, () => this.#source())
    }
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
