import { TaskBackend, type Problem } from '../lib/backend'
import { InvalidBackendError, UsageError } from '../lib/errors/errors'
import { log } from '../lib/events/logger'
import { backends } from '../lib/backend-registry'
import { tell } from './output'

/** The backend of an alias. @throws UsageError for an alias that TASKS does not have. */
export function backendOf(alias: string): TaskBackend {
  try {
    return backends.get(alias)
  } catch (error) {
    if (!(error instanceof InvalidBackendError)) throw error
    throw new UsageError(
      `argument --backend: ${error.message.slice(0, -error.mend.length).trim()}`,
      error.mend,
      { cause: error },
    )
  }
}

/** The same, of a kind that keeps rows for workers. @throws UsageError for others, such as Immediate and Dummy. */
export function servedBackend(alias: string): TaskBackend {
  const backend = backendOf(alias)
  if (isServed(backend)) return backend
  const served = backends
    .all()
    .filter(isServed)
    .map((each) => each.alias)
  throw new UsageError(
    `argument --backend: TASKS.${alias} is ${backend.constructor.name}, which keeps no tasks for a worker.`,
    served.length === 0
      ? 'Set its BACKEND to typeorm-tasks/backends/database#DatabaseBackend.'
      : `These do: ${served.join(', ')}.`,
  )
}

/** The backend that somebody asks about results: the one of the alias, else the first of TASKS that keeps rows for workers. */
export function browsedBackend(alias: string | undefined): TaskBackend {
  if (alias !== undefined) return backendOf(alias)
  return backends.all().find(isServed) ?? backendOf('default')
}

/** Whether the backend's set-up is sound; tells what is wrong with it. */
export async function isSound(backend: TaskBackend): Promise<boolean> {
  const problems = await backend.check()
  for (const problem of problems) {
    if (problem.level === 'warning') log.warn(`${problem.message} ${problem.mend}`)
    else tell(problemLines(problem))
  }
  return problems.every(({ level }) => level === 'warning')
}

export function problemLines({ level, message, mend }: Problem): string {
  return `${level}: ${message} ${mend}`.trim()
}

function isServed(backend: TaskBackend): boolean {
  return backend.openStore !== TaskBackend.prototype.openStore
}
