import type { WorkerHealth } from '../../lib/worker/start-worker'

/** How a worker, or several under a supervisor, is. What it holds besides is for people who read it. */
export interface Report {
  readonly live: boolean
  readonly ready: boolean
  readonly started: boolean
  /** Sentences that say why it is not live, or not ready. */
  readonly problems: readonly string[]
  readonly state: WorkerHealth['state'] | 'starting'
}

/** What is asked of a report. */
export const PROBES = ['live', 'ready', 'started'] as const
export type Probe = (typeof PROBES)[number]

/** The path that answers each. */
export const PATHS: Readonly<Record<Probe, string>> = {
  live: '/livez',
  ready: '/readyz',
  started: '/startupz',
}

/** Of a process that has not come to its worker yet: it loads the app, or waits for the database. */
export const STARTING: Report = {
  live: true,
  ready: false,
  started: false,
  problems: ['It is starting.'],
  state: 'starting',
}

/** Whether what a file, another process or a port has given is a report. */
export function isReport(value: unknown): value is Report {
  if (typeof value !== 'object' || value === null) return false
  const { problems, ...rest } = value as Partial<Record<keyof Report, unknown>>
  return (
    PROBES.every((probe) => typeof rest[probe] === 'boolean') &&
    Array.isArray(problems) &&
    problems.every((problem) => typeof problem === 'string')
  )
}

/** A report as it is written, also by a process of another version. Undefined if it is none. */
export function reportIn(text: string): Report | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isReport(value) ? value : undefined
  } catch {
    return undefined
  }
}
