import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { fleetReport } from '../health/child-health'
import type { Probes } from '../health/probes'
import { isSupervised, SIGNALS } from './self'
import { Interrupts } from './shutdown'
import { SupervisedWorker, type FleetOptions } from './supervised-worker'

/** Time in ms between a second Ctrl+C and SIGKILL; a worker that is busy computing cannot handle signals. */
const FORCED_GRACE_MS = 2_000

/**
 * Runs this same command in `options.processes` child processes, and replaces those that die. Returns the highest exit
 * code of the last ones, 130 after a forced stop. `probes` are told how all of them are, and what they measure.
 */
export async function superviseProcesses(options: FleetOptions, probes: Probes): Promise<number> {
  const [first, ...others] = Array.from(
    { length: options.processes },
    (_, at) => new SupervisedWorker(options, at + 1),
  )
  const workers = first ? [first, ...others] : []
  const fleet = new Fleet(workers)
  probes.show(() => fleetReport(workers, fleet.stopping.aborted))
  probes.metrics.collectFrom(() => Promise.all(workers.map((worker) => worker.metrics())))
  // The others wait until the first has started, so a mistake in the settings is logged once and ends all.
  const codes = await Promise.all(
    workers.map(async (worker) =>
      worker === first || (await first?.hasStarted) ? worker.run(fleet.stopping) : 0,
    ),
  )
  return fleet.isForced ? 130 : Math.max(...codes)
}

/** Passes signals on to all workers of one supervisor. */
class Fleet {
  readonly #workers: readonly SupervisedWorker[]
  readonly #stopping = new AbortController()
  readonly #interrupts = new Interrupts()
  isForced = false

  constructor(workers: readonly SupervisedWorker[]) {
    this.#workers = workers
    for (const signal of SIGNALS) process.on(signal, () => this.#stop(signal, `Received ${signal}`))
    process.on('SIGHUP', () => this.#stop('SIGTERM', 'Received SIGHUP'))
    if (isSupervised())
      process.on('disconnect', () => this.#stop('SIGTERM', 'The supervisor process is gone'))
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  #stop(signal: NodeJS.Signals, why: string): void {
    if (!this.stopping.aborted) log.warn(`${why}: stopping all workers`)
    this.#stopping.abort()
    this.#signal(signal)
    if (signal === 'SIGINT' && this.#interrupts.isSecond()) void this.#force()
  }

  async #force(): Promise<void> {
    this.isForced = true
    await clock.sleep(FORCED_GRACE_MS)
    this.#signal('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    for (const worker of this.#workers) worker.kill(signal)
  }
}
