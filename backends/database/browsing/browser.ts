import { dashed } from '../../../entities/formats'
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
} from '../../../lib/browser'
import {
  InvalidTaskError,
  NotSupportedError,
  ResultNotFoundError,
} from '../../../lib/errors/errors'
import type { TaskResult } from '../../../lib/result'
import type { SlotRow } from '../../../lib/row/slot'
import { isUuid } from '../../ids'
import type { Dialect } from '../dialects/dialect'
import { profileOf } from '../profiles/profile-of'
import { newestSlot } from '../enqueueing/slots'
import { listWorkers, type SeenWorker } from '../workers/list'
import { flowAround } from './around'
import { prioritiseRows, removeRows } from './changes'
import { historyOf } from './history'
import { queueStates } from './queues'
import { searchTasks } from './search'
import type { Sight } from './sight'

/** The most steps of a history. */
const MOST_STEPS = 200

export interface Beside {
  readonly dialect: Dialect
  /** The queues that the settings name. */
  readonly queues: readonly string[]
  pauses(): Promise<readonly Pause[]>
}

/** Looks at the table by statements that are bounded in rows and in time. */
export class DatabaseBrowser implements Browser {
  readonly #sight: Sight
  readonly #beside: Beside

  constructor(sight: Sight, beside: Beside) {
    this.#sight = sight
    this.#beside = beside
  }

  tasks(query: TaskQuery): Promise<TaskPage> {
    return searchTasks(this.#sight, query)
  }

  async result(id: string): Promise<TaskResult<unknown>> {
    const found = isUuid(dashed(id)) ? await this.#sight.result(this.#sight.keyOf(id)) : undefined
    if (!found) throw new ResultNotFoundError(id)
    return found
  }

  newestSlot(schedule: string): Promise<SlotRow | null> {
    const { asking } = this.#sight
    return asking.inTime(newestSlot(asking.dataSource.manager, schedule))
  }

  now(): Promise<Date> {
    return this.#sight.asking.do((session) => this.#beside.dialect.now(session))
  }

  /**
   * Those that are RUNNING are counted among the newest 50,000 tasks and those around the next to be claimed, where no index
   * has them.
   */
  async queues(): Promise<readonly QueueState[]> {
    const { queues: names, pauses } = this.#beside
    const now = await this.now()
    const [workers, paused] = [await this.workers(), await pauses()]
    return queueStates(this.#sight, { names, workers, pauses: paused }, now)
  }

  async workers(): Promise<readonly WorkerState[] | null> {
    const { asking, backendName, table } = this.#sight
    if (!table.workers) return null
    const seen = await asking.inTime(listWorkers(asking.dataSource, backendName))
    return seen.map(stateOf)
  }

  /** @throws NotSupportedError where ids do not tell when they were made; InvalidTaskError for times that are none */
  async history(query: HistoryQuery): Promise<readonly HistoryStep[]> {
    const { hasTimedIds, table } = this.#sight
    if (!hasTimedIds)
      throw new NotSupportedError(
        `The ids in the table "${table.name}" do not tell when tasks were enqueued, so there is no history.`,
        'A history needs a table that typeorm-tasks made, and a backend without an idFunction.',
      )
    assertTimes(query)
    return historyOf(this.#sight, query, await this.#total())
  }

  async flow(id: string): Promise<FlowAround | null> {
    return isUuid(dashed(id)) ? flowAround(this.#sight, this.#sight.keyOf(id)) : null
  }

  /**
   * A READY task of a flow is not deleted: cancel it first, then what waits for it is FAILED, and both may be deleted. Nor is a
   * finished one for which another still waits, or the newest run of a schedule.
   */
  remove(ids: readonly string[]): Promise<readonly string[]> {
    return removeRows(this.#sight, this.#beside.dialect, ids)
  }

  /** @throws InvalidTaskError for a priority that is not a whole number from -100 to 100 */
  prioritise(ids: readonly string[], priority: number): Promise<readonly string[]> {
    return prioritiseRows(this.#sight, ids, priority)
  }

  close(): Promise<void> {
    return this.#sight.asking.close()
  }

  /** About how many rows the table has, as the database itself believes. */
  async #total(): Promise<number> {
    const { asking, path, table } = this.#sight
    const question = profileOf(table.type).growth?.rows(path, table.name)
    if (!question) return Number.POSITIVE_INFINITY
    const rows = await asking.profiled(question)
    return Number(rows[0]?.n ?? 0) || Number.POSITIVE_INFINITY
  }
}

function assertTimes({ from, to, steps }: HistoryQuery): void {
  if (!(from.getTime() < to.getTime()))
    throw new InvalidTaskError(
      'The history begins at no earlier time than it ends.',
      'Give a `from` that is before `to`.',
    )
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new InvalidTaskError(
      `Expected a number of steps from 1 to ${MOST_STEPS}, got ${steps}.`,
      'Give e.g. 60.',
    )
}

function stateOf({ worker, agoMs, isGone }: SeenWorker): WorkerState {
  const { backend: _, seenAt: _seen, leaseMs: _lease, ...said } = worker
  return { ...said, seenMsAgo: agoMs, isGone }
}
