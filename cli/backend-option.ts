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

/** The backend that somebody asks about results: the one of the alias, else the first of TASKS that keeps rows for workers. */
export function browsedBackend(alias: string | undefined): TaskBackend {
  if (alias !== undefined) return backendOf(alias)
  return backends.all().find(isServed) ?? backendOf('default')
}

/** The backends whose rows are listed: the one of the alias, else all that keep rows for workers. */
export function browsedBackends(alias: string | undefined): TaskBackend[] {
  return alias === undefined ? backends.all().filter(isServed) : [backendOf(alias)]
}

/** True if the backend's check finds no errors. Prints each error and logs each warning. */
export async function isSound(backend: TaskBackend): Promise<boolean> {
  const problems = await backend.check()
  for (const problem of problems) {
    if (problem.level === 'warning') log.warn(`${problem.message} ${problem.hint}`)
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
