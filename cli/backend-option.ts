import { TaskBackend, type Problem } from '../lib/backend'
import { notServed } from '../lib/errors/not-served'
import { InvalidBackendError, UsageError } from '../lib/errors/errors'
import { log } from '../lib/events/logger'
import { backends } from '../lib/backend-registry'
import { tell } from './output'

/** The backend with this alias. @throws UsageError if TASKS has no such alias. */
export function backendOf(alias: string): TaskBackend {
  try {
    return backends.get(alias)
  } catch (error) {
    if (!(error instanceof InvalidBackendError)) throw error
    throw new UsageError(`argument --backend: ${error.what}`, error.hint, { cause: error })
  }
}

/** The same, if it stores tasks for workers. @throws UsageError if it does not, such as Immediate and Dummy. */
export function servedBackend(alias: string): TaskBackend {
  const backend = backendOf(alias)
  if (isServed(backend)) return backend
  const ofOthers = notServed(backend)
  if (ofOthers) throw new UsageError(`argument --backend: ${ofOthers.what}`, ofOthers.hint)
  const served = backends
    .all()
    .filter(isServed)
    .map((each) => each.alias)
  throw new UsageError(
    `argument --backend: TASKS.${alias} is ${backend.constructor.name}, which stores no tasks for workers.`,
    served.length === 0
      ? 'Set its BACKEND to typeorm-tasks/backends/database#DatabaseBackend.'
      : `Backends that do: ${served.join(', ')}.`,
  )
}

/**
 * The backend that somebody asks about results: the one of the alias, else the first of TASKS that keeps rows for workers; if one
 * stands on that one and others, all of them by it.
 */
export function browsedBackend(alias: string | undefined): TaskBackend {
  if (alias !== undefined) return backendOf(alias)
  const all = backends.all()
  const first = all.find(isServed)
  const whole = first && all.find(({ servedBy }) => servedBy?.includes(first.alias))
  return whole ?? first ?? backendOf('default')
}

/** The same for one of their queues, which not each of them has. */
export function backendWithQueue(alias: string | undefined, queue: string): TaskBackend {
  const first = browsedBackend(alias)
  const has = ({ settings: { queues } }: TaskBackend): boolean =>
    queues.length === 0 || queues.includes(queue)
  if (alias !== undefined || has(first)) return first
  return browsedBackends(alias).find(has) ?? first
}

/** The backends whose rows are listed: the one of the alias, else all that keep rows for workers. */
export function browsedBackends(alias: string | undefined): TaskBackend[] {
  return alias === undefined ? backends.all().filter(isServed) : [backendOf(alias)]
}

/** True if the backend's check finds no errors. Prints each error and logs each warning. */
export async function isSound(backend: TaskBackend): Promise<boolean> {
  const problems = await backend.check()
  for (const problem of problems) {
    if (problem.level === 'warning') log.warn(problem.brief ?? `${problem.message} ${problem.hint}`)
    else tell(problemLines(problem))
  }
  return problems.every(({ level }) => level === 'warning')
}

export function problemLines({ level, message, hint }: Problem): string {
  return `${level}: ${message} ${hint}`.trim()
}

/** Whether it stores tasks for workers. */
export function isServed(backend: TaskBackend): boolean {
  return backend.openStore !== TaskBackend.prototype.openStore
}
