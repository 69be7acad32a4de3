import type { TaskBackend } from '../backend'
import { NotSupportedError } from '../errors/errors'
import type { TaskResult } from '../result'
import type { TaskStatus } from '../row/record'
import type {
  Browser,
  FlowAround,
  HistoryQuery,
  HistoryStep,
  Pause,
  QueueState,
  TaskPage,
  TaskQuery,
  WorkerState,
} from '../browser'
import type { SlotRow } from '../row/slot'
import { clock } from '../clock'
import { stepsOf } from './history-steps'
import { isMatch, statusOf } from './is-match'

/** Results that one call of `list` gives. */
const PAGE = 200
/** The most tasks of a status that queues are counted by, and the most that a history is made of. */
const MOST = 5_000
/** The most results that are looked at for both. */
const WITHIN = 100_000
/** Milliseconds that a search takes, and a page of results more; where it ends by that, the next one goes on. */
const SEARCH_MS = 200

type Result = TaskResult<unknown>

/** Looks at a backend that has no browser of its own, by what it lists. For backends that hold few results. */
export class ListBrowser implements Browser {
  readonly #backend: TaskBackend

  constructor(backend: TaskBackend) {
    this.#backend = backend
  }

  async tasks(query: TaskQuery): Promise<TaskPage> {
    const now = await this.now()
    const begun = clock.now()
    const found: Result[] = []
    let [looked, before, last] = [0, query.before, undefined as Result | undefined]
    while (looked < query.within && clock.now() - begun <= SEARCH_MS) {
      const limit = Math.min(PAGE, query.within - looked)
      const page = await this.#backend.list({ ...listedBy(query), limit, before })
      found.push(...page.filter((result) => isMatch(result, query, now)))
      if (found.length >= query.limit) return full(found.slice(0, query.limit))
      if (page.length < limit) return { tasks: found, next: null, searchedTo: null }
      looked += page.length
      last = page.at(-1)
      before = last?.id
    }
    return searchedUpTo(found, before, last)
  }

  result(id: string): Promise<Result> {
    return this.#backend.getResult(id)
  }

  newestSlot(schedule: string): Promise<SlotRow | null> {
    return this.#backend.newestSlot(schedule)
  }

  /** That of this process, where the backend has no clock. */
  async now(): Promise<Date> {
    try {
      return await this.#backend.now()
    } catch (error) {
      if (error instanceof NotSupportedError) return new Date()
      throw error
    }
  }

  async queues(): Promise<readonly QueueState[]> {
    const now = await this.now()
    const list = (status: TaskStatus): Promise<Result[]> =>
      this.#backend.list({ status, limit: MOST, within: WITHIN })
    const tasks = [...(await list('READY')), ...(await list('RUNNING'))]
    const { queues } = this.#backend.settings
    const names = new Set([...queues, ...tasks.map(({ queueName }) => queueName)])
    const pauses = await this.#pauses()
    return [...names].map((name) => ({
      ...queueOf(
        name,
        tasks.filter(({ queueName }) => queueName === name),
        now,
      ),
      paused: pauses.find(({ queue }) => queue === name) ?? null,
    }))
  }

  /** Of a backend that keeps none there are none. */
  async #pauses(): Promise<readonly Pause[]> {
    try {
      return await this.#backend.pausedQueues()
    } catch (error) {
      if (error instanceof NotSupportedError) return []
      throw error
    }
  }

  async workers(): Promise<readonly WorkerState[] | null> {
    return null
  }

  async history({ queue, taskName, ...times }: HistoryQuery): Promise<readonly HistoryStep[]> {
    const query = { queue, taskName, from: times.from, to: times.to, limit: MOST, within: WITHIN }
    return stepsOf(times, await this.tasks(query))
  }

  async flow(_id: string): Promise<FlowAround | null> {
    return null
  }

  async remove(_ids: readonly string[]): Promise<readonly string[]> {
    throw this.#cannot('delete tasks')
  }

  async prioritise(_ids: readonly string[], _priority: number): Promise<readonly string[]> {
    throw this.#cannot('change the priority of tasks')
  }

  async close(): Promise<void> {}

  #cannot(what: string): NotSupportedError {
    const { constructor, alias } = this.#backend
    return new NotSupportedError(
      `${constructor.name} (TASKS.${alias}) cannot ${what} that are there.`,
      'Use the Database backend for that.',
    )
  }
}

/** Where the next search goes on. */
function searchedUpTo(
  tasks: readonly Result[],
  before: string | undefined,
  last: Result | undefined,
): TaskPage {
  return { tasks, next: before ?? null, searchedTo: last?.enqueuedAt ?? null }
}

function full(tasks: readonly Result[]): TaskPage {
  return { tasks, next: tasks.at(-1)?.id ?? null, searchedTo: null }
}

function listedBy({ state, queue, taskName, within }: TaskQuery) {
  return {
    status: state && statusOf(state),
    queues: queue === undefined ? null : [queue],
    taskName,
    within,
  }
}

function queueOf(name: string, tasks: readonly Result[], now: Date): Omit<QueueState, 'paused'> {
  const inState = (state: TaskQuery['state']): readonly Result[] =>
    tasks.filter((task) => isMatch(task, { state }, now))
  const due = inState('DUE')
  const since = due.map(({ runAfter, enqueuedAt }) => (runAfter ?? enqueuedAt ?? now).getTime())
  return {
    name,
    due: due.length,
    later: inState('LATER').length,
    waiting: inState('WAITING').length,
    running: inState('RUNNING').length,
    oldestDueMs: due.length === 0 ? null : Math.max(0, now.getTime() - Math.min(...since)),
    isServed: null,
  }
}
