import { DataSourceError, NotSupportedError } from '../../../index'
import type { Browser, WorkerState } from '../../../lib/browser'
import { workerIdOf } from '../../../lib/worker/worker-id'
import { problemOf } from '../answer'
import { type Asked, browserOf, chosen, type Reading } from '../asked'
import { name, parametersIn } from '../query'
import { iso, listed } from '../views'
import type { Listed, Problem, WorkersView, WorkerView } from '../wire'
import { lookerOf, WITHIN } from './tasks'

/** Running tasks that are looked at, of all workers together, and those that are shown of one. */
const MOST_RUNNING = 1_000
const MOST_OF_ONE = 100

const NO_RECORDS: Problem = {
  message: 'Workers have no records here.',
  hint: 'Add the entity DBTaskWorker to the DataSource: `entities: [User, ...taskEntities]`, with `taskEntities` from "typeorm-tasks"; then run `npx tasks makemigrations` and the migration.',
}

/** The workers that have a record, and what they run. */
export function workersRoute(asked: Asked): Reading {
  const { backend: alias } = parametersIn(asked.search, { backend: name(32) })
  const backend = chosen(asked, alias)
  return async (): Promise<WorkersView> => {
    const browser = await browserOf(asked, backend)
    const { workers, problem } = await workersOf(browser)
    if (workers === null) return { workers, problem }
    const running = workers.length === 0 ? new Map() : await runningBy(asked, browser)
    return {
      workers: workers.map((each) => workerOf(each, running.get(workerIdOf(each.id)) ?? [])),
      problem,
    }
  }
}

/** What is lacking for it is told; any other error is one of the request. */
async function workersOf(browser: Browser): Promise<{
  readonly workers: readonly WorkerState[] | null
  readonly problem: Problem | null
}> {
  try {
    const workers = await browser.workers()
    return { workers, problem: workers === null ? NO_RECORDS : null }
  } catch (error) {
    if (!(error instanceof NotSupportedError) && !(error instanceof DataSourceError)) throw error
    return { workers: null, problem: problemOf(error) }
  }
}

/** The running tasks by the worker of their latest attempt. */
async function runningBy(
  asked: Asked,
  browser: Browser,
): Promise<ReadonlyMap<string, readonly Listed[]>> {
  const query = { state: 'RUNNING', limit: MOST_RUNNING, within: WITHIN } as const
  const { tasks } = await browser.tasks(query)
  const byWorker = new Map<string, Listed[]>()
  for (const task of tasks) {
    const id = task.workerIds.at(-1) ?? ''
    const others = byWorker.get(id) ?? []
    if (others.length < MOST_OF_ONE) byWorker.set(id, [...others, listed(task, lookerOf(asked))])
  }
  return byWorker
}

function workerOf(worker: WorkerState, tasks: readonly Listed[]): WorkerView {
  return { ...worker, startedAt: iso(worker.startedAt), tasks }
}
