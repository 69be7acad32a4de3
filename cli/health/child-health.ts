import { clock } from '../../lib/clock'
import { type Report, STARTING } from './report'

/** A worker that says nothing for longer, in ms, stands still: it says something each second. */
const SILENCE_MS = 5_000
/** The same for one that has said nothing so far: loading an app may block its process. */
const LOADING_MS = 60_000

/** How a supervised worker is, by what its process says. */
export class ChildHealth {
  #now: 'waiting' | 'running' | 'gone' | 'done' = 'waiting'
  #said: Report | undefined
  /** When it last said something, or was started, in ms of the monotonic clock. */
  #at = 0

  /** Its process was started. */
  begun(): void {
    this.#now = 'running'
    this.#said = undefined
    this.#at = clock.now()
  }

  heard(report: Report): void {
    this.#said = report
    this.#at = clock.now()
  }

  /** Its process has ended, and is replaced. */
  gone(): void {
    this.#now = 'gone'
  }

  /** Its process has ended, and is not replaced. */
  done(): void {
    this.#now = 'done'
  }

  /** Undefined: it is done, and counts no more. */
  get report(): Report | undefined {
    if (this.#now === 'done') return undefined
    if (this.#now === 'waiting') return STARTING
    // A restart of the whole would do no more than the supervisor does, and would stop the others.
    if (this.#now === 'gone')
      return { ...STARTING, problems: ['Its process has ended, and is replaced.'] }
    const said = this.#said ?? STARTING
    const silentMs = clock.now() - this.#at
    if (silentMs <= (this.#said ? SILENCE_MS : LOADING_MS)) return said
    const problem = `Its process has said nothing for ${Math.round(silentMs / 1000)} s.`
    return { ...said, live: false, ready: false, problems: [problem] }
  }
}

/** A supervised worker, as its log lines name it. */
export interface Supervised {
  readonly name: string
  readonly health: ChildHealth
}

/** The report of a supervisor: each of its workers counts. */
export function fleetReport(workers: readonly Supervised[], isStopping: boolean): Report {
  const reports = workers.flatMap(({ name, health: { report } }) =>
    report ? [{ name, ...report }] : [],
  )
  const all = (probe: 'live' | 'ready' | 'started'): boolean =>
    reports.every((report) => report[probe])
  const problems = reports.flatMap(({ name, problems }) =>
    problems.map((problem) => `${name}: ${problem}`),
  )
  const started = all('started')
  const whole: Report & { workers: unknown } = {
    live: all('live'),
    ready: !isStopping && all('ready'),
    started,
    problems: isStopping ? ['It is stopping.', ...problems] : problems,
    state: isStopping ? 'stopping' : started ? 'running' : 'starting',
    workers: reports,
  }
  return whole
}
