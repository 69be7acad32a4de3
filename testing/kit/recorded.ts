import type { MemoryRow } from '../../backends/memory/row'
import { isDue, isInQueues, MemoryTable } from '../../backends/memory/table'
import type { Task, TaskBackend, TaskResult } from '../../index'
import { backends } from '../../lib/backend-registry'
import { inFreshContext } from '../../lib/execution/run-context'
import {
  assertEnqueued,
  assertNotEnqueued,
  expectationOf,
  isTask,
  TaskExpectationError,
} from '../expect/expectation'
import type { ExpectedArgs } from '../expect/matchers'
import type { Wanted } from '../expect/wanted'
import { runSettings, type RunSettings, type TestSettings } from '../options'
import { drain, type HeardLane, type RunOptions, type RunReport } from '../run/drain'
import { closing, hearing, LEASE_SECONDS } from '../run/lane'
import { BaseKit } from './base'
import { moveRowsBack, untilDue } from './memory-time'
import { runInline } from './inline'
import { type Recorded, Recorder } from './recorder'

/** Nothing is inferred from it. */
type Fixed<T> = [T][T extends unknown ? 0 : never]

/** Keeps what is enqueued in memory, and runs it when the test says so; in the mode `inline` at once. */
export class RecordedTasks extends BaseKit {
  /** Asks Date each time, which runners replace. */
  readonly #table = new MemoryTable(() => Date.now())
  readonly #recorders = new Map<TaskBackend, Recorder>()

  constructor(settings: TestSettings) {
    super(settings)
    this.begin()
  }

  protected backendFor(real: TaskBackend): TaskBackend {
    const known = this.#recorders.get(real)
    if (known) return known
    const isInline = this.settings.mode === 'inline'
    const made = new Recorder(real, this.#table, isInline ? this.#runInline : undefined)
    this.#recorders.set(real, made)
    return made
  }

  /** What was enqueued, of all tasks or of one, the oldest first: also what has run since. */
  enqueued(): TaskResult<unknown>[]
  enqueued<Args extends unknown[], Return>(task: Task<Args, Return>): TaskResult<Return>[]
  enqueued(task?: unknown): TaskResult<unknown>[] {
    this.assertStands('enqueued')
    const name = isTask(task) ? task.name : undefined
    return this.#results(({ task_path: path }) => name === undefined || path === name)
  }

  /**
   * Asserts that a task was enqueued, with these arguments if any are given, and gives the result of the first such call.
   *
   * @throws TaskExpectationError that shows the nearest calls.
   */
  expectEnqueued<Args extends unknown[], Return>(
    task: Task<Args, Return>,
    args?: ExpectedArgs<Fixed<Args>>,
    wanted: Wanted = {},
  ): TaskResult<Return> {
    this.assertStands('expectEnqueued')
    const expectation = expectationOf(task, args, wanted, 'expectEnqueued')
    const { rules } = this.settings
    const found = shownAt(this.expectEnqueued, () =>
      assertEnqueued(expectation, this.enqueued(), rules),
    )
    return found as TaskResult<Return>
  }

  /** Asserts that there is no such call. @throws TaskExpectationError that shows the first one. */
  expectNotEnqueued<Args extends unknown[], Return>(
    task: Task<Args, Return>,
    args?: ExpectedArgs<Fixed<Args>>,
    wanted: Omit<Wanted, 'count'> = {},
  ): void {
    this.assertStands('expectNotEnqueued')
    const expectation = expectationOf(task, args, wanted, 'expectNotEnqueued')
    const { rules } = this.settings
    shownAt(this.expectNotEnqueued, () => assertNotEnqueued(expectation, this.enqueued(), rules))
  }

  /**
   * Runs what is due, and what that enqueues, one task after another, until nothing is left.
   *
   * @throws TaskRunError if the last run of a task has failed, unless `throwFailures` is false.
   */
  async run(options: RunOptions = {}): Promise<RunReport> {
    this.assertStands('run')
    const settings = runSettings(options, 'run')
    return inFreshContext(() => this.within(() => this.#drain(settings)))
  }

  async travel(ms: number): Promise<void> {
    this.assertMs(ms)
    moveRowsBack(this.#table, ms)
  }

  /** Forgets everything that was enqueued. */
  clear(): void {
    this.#table.rows.clear()
  }

  #results(isWanted: (row: MemoryRow) => boolean): TaskResult<unknown>[] {
    return [...this.#table.rows.values()]
      .filter(isWanted)
      .map((row) => this.#recorderOf(row).read(row))
  }

  #recorderOf({ backend_name: alias }: MemoryRow): Recorder {
    const found = [...this.#recorders.values()].findLast((each) => each.alias === alias)
    if (!found) throw new Error(`no recorder for ${alias}`)
    return found
  }

  async #lanes(): Promise<HeardLane[]> {
    const lanes: HeardLane[] = []
    for (const backend of backends.all()) {
      const heard = hearing()
      const store = await backend.openStore({ leaseSeconds: LEASE_SECONDS, wakeup: heard.hear })
      lanes.push({ backend, store, heard })
    }
    return lanes
  }

  async #drain(settings: RunSettings): Promise<RunReport> {
    const untilNext = async (): Promise<number | undefined> =>
      untilDue(this.#table, settings.queues)
    const due = async (): Promise<TaskResult<unknown>[]> =>
      this.#results(
        (row) =>
          row.status === 'READY' && isInQueues(row, settings) && isDue(row, this.#table.now()),
      )
    const lanes = await this.#lanes()
    const travel = (ms: number): Promise<void> => this.travel(ms)
    const stores = lanes.map(({ store }) => store)
    return closing(stores, () => drain(lanes, { ...settings, untilNext, due, travel }))
  }

  readonly #runInline: Recorded = (rows, recorder, manager) =>
    this.within(() => runInline(rows, recorder, manager))
}

/** Runners show the line at the top of the stack: that of the test, which called `method`. */
function shownAt<T>(method: (...given: never[]) => unknown, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof TaskExpectationError) Error.captureStackTrace(error, method)
    throw error
  }
}
