import type { DataSource, EntityManager } from 'typeorm'
import { DatabaseBackend } from '../../backends/database'
import { joinable } from '../../backends/database/ambient-transaction'
import { moveBack } from '../../backends/database/bound/move-back'
import { haveSameTable } from '../../backends/database/connections/same-database'
import { placeOf } from '../../backends/database/place'
import { UnconfiguredBackend } from '../../backends/unconfigured'
import { InvalidSettingsError, type Task, type TaskBackend, type TaskResult } from '../../index'
import { backends } from '../../lib/backend-registry'
import { check, or, settingsSubject } from '../../lib/errors/option-checks'
import { inFreshContext } from '../../lib/execution/run-context'
import { assertEnqueued, assertNotEnqueued, expectationOf, isTask } from '../expect/expectation'
import type { ExpectedArgs } from '../expect/matchers'
import type { Wanted } from '../expect/wanted'
import { MANAGER, runSettings } from '../options'
import { drain, type HeardLane, type RunOptions, type RunReport } from '../run/drain'
import { hearing, LEASE_SECONDS } from '../run/lane'
import { BaseKit } from './base'
import { listed, type Ready, readyOf, untilNext } from './listed'
import { inSavepoint, WithinTransaction } from './within-transaction'

/** Nothing is inferred from it. */
type Fixed<T> = [T][T extends unknown ? 0 : never]

/** The transaction in which a test looks, or runs tasks. */
export interface Within {
  /** Default: what is committed. */
  manager?: EntityManager | undefined
}

export interface DrainOptions extends RunOptions, Within {}

/** Tasks are rows of a real database. */
export class DatabaseTasks extends BaseKit {
  readonly #made = new Map<TaskBackend, DatabaseBackend>()

  constructor(settings: BaseKit['settings']) {
    super(settings)
    this.begin()
    try {
      // Known to be wrong before a task is enqueued.
      this.#backends()
    } catch (error) {
      void this.restore()
      throw error
    }
  }

  protected backendFor(real: TaskBackend): TaskBackend {
    const known = this.#made.get(real)
    if (known) return known
    const made = backendOf(real, this.settings.database)
    this.#made.set(real, made)
    return made
  }

  /** All rows, or those of one task, the oldest first. */
  async enqueued(task?: undefined, options?: Within): Promise<TaskResult<unknown>[]>
  async enqueued<Args extends unknown[], Return>(
    task: Task<Args, Return>,
    options?: Within,
  ): Promise<TaskResult<Return>[]>
  async enqueued(task?: unknown, { manager }: Within = {}): Promise<TaskResult<unknown>[]> {
    this.assertStands('enqueued')
    assertManager(manager, 'enqueued')
    const taskName = isTask(task) ? task.name : undefined
    const found: TaskResult<unknown>[] = []
    await this.#joining(manager, async () => {
      for (const backend of await this.#backendsOf(manager))
        for (const result of await listed(backend, { taskName })) found.push(result)
    })
    const time = ({ enqueuedAt }: TaskResult<unknown>): number => enqueuedAt?.getTime() ?? 0
    return found.toReversed().toSorted((a, b) => time(a) - time(b))
  }

  /**
   * Asserts that a task was enqueued, with these arguments if any are given, and gives the result of the first such row. With
   * `manager` it looks inside of that transaction.
   *
   * @throws TaskExpectationError that shows the nearest calls.
   */
  async expectEnqueued<Args extends unknown[], Return>(
    task: Task<Args, Return>,
    args?: ExpectedArgs<Fixed<Args>>,
    { manager, ...wanted }: Wanted & Within = {},
  ): Promise<TaskResult<Return>> {
    this.assertStands('expectEnqueued')
    const expectation = expectationOf(task, args, wanted, 'expectEnqueued')
    const calls = await this.enqueued(undefined, { manager })
    return assertEnqueued(expectation, calls, this.settings.rules) as TaskResult<Return>
  }

  /** Asserts that there is no such row. @throws TaskExpectationError that shows the first one. */
  async expectNotEnqueued<Args extends unknown[], Return>(
    task: Task<Args, Return>,
    args?: ExpectedArgs<Fixed<Args>>,
    { manager, ...wanted }: Omit<Wanted, 'count'> & Within = {},
  ): Promise<void> {
    this.assertStands('expectNotEnqueued')
    const expectation = expectationOf(task, args, wanted, 'expectNotEnqueued')
    const calls = await this.enqueued(undefined, { manager })
    assertNotEnqueued(expectation, calls, this.settings.rules)
  }

  /** Runs what is committed and due, and what that enqueues, one task after another, until nothing is left. @throws as `drain`. */
  async run(options: RunOptions = {}): Promise<RunReport> {
    this.assertStands('run')
    return this.#drain(runSettings(options, 'run'), undefined)
  }

  /**
   * As `run`. With `manager` claims, runs and outcomes are a part of that transaction, and tasks join it where they enqueue: its
   * rollback takes everything back.
   *
   * @throws TaskRunError if the last run of a task has failed, unless `throwFailures` is false; InvalidTaskError for a manager
   * that is in no transaction.
   */
  async drain({ manager, ...options }: DrainOptions = {}): Promise<RunReport> {
    this.assertStands('drain')
    assertManager(manager, 'drain')
    return this.#drain(runSettings(options, 'drain'), manager)
  }

  /** With `manager` in its transaction. */
  async travel(ms: number, { manager }: Within = {}): Promise<void> {
    this.assertMs(ms)
    assertManager(manager, 'travel')
    const moved: DataSource[] = []
    for (const backend of await this.#backendsOf(manager)) {
      const dataSource = await backend.dataSource()
      if (moved.some((each) => haveSameTable(each, dataSource))) continue
      moved.push(dataSource)
      const place = await placeOf(dataSource, backend.alias)
      await moveBack(place, manager ?? dataSource.manager, ms)
    }
  }

  #drain(
    settings: ReturnType<typeof runSettings>,
    manager: EntityManager | undefined,
  ): Promise<RunReport> {
    const run = (): Promise<RunReport> =>
      this.#joining(manager, async () => {
        const lanes: HeardLane[] = []
        try {
          for (const backend of await this.#backendsOf(manager))
            lanes.push(await laneOf(backend, manager))
          const ready = async (): Promise<Ready[]> =>
            readyOf(await this.#backendsOf(manager), settings.queues)
          return await drain(lanes, {
            ...settings,
            untilNext: async () => untilNext(await ready()),
            due: async () =>
              (await ready()).filter(({ wait }) => wait < 0).map(({ result }) => result),
            travel: (ms) => this.travel(ms, { manager }),
          })
        } finally {
          for (const { store } of lanes) await store.close()
        }
      })
    // Within a transaction what else the caller's context holds of that is there, too, as by typeorm-transactional.
    return manager ? run() : inFreshContext(run)
  }

  /** What reads and enqueues within `work` joins the transaction. */
  #joining<T>(manager: EntityManager | undefined, work: () => Promise<T>): Promise<T> {
    return this.within(() =>
      manager ? joinable(manager.connection, (join) => join(manager, work)) : work(),
    )
  }

  /** Those whose table the transaction can reach; all, if it can reach none, to say so. */
  async #backendsOf(manager: EntityManager | undefined): Promise<readonly DatabaseBackend[]> {
    const all = this.#backends()
    if (!manager) return all
    const reached: DatabaseBackend[] = []
    for (const backend of all)
      if (haveSameTable(manager.connection, await backend.dataSource())) reached.push(backend)
    return reached.length > 0 ? reached : all
  }

  #backends(): DatabaseBackend[] {
    // Also in a run during which the kit is restored.
    this.assertStands('run')
    return this.within(() => backends.all()).filter((each) => each instanceof DatabaseBackend)
  }
}

function assertManager(manager: EntityManager | undefined, what: string): void {
  check(settingsSubject(what), 'manager', manager, or(undefined, MANAGER))
}

async function laneOf(
  backend: DatabaseBackend,
  manager: EntityManager | undefined,
): Promise<HeardLane> {
  const leaseSeconds = LEASE_SECONDS
  if (!manager) {
    const heard = hearing()
    const store = await backend.openStore({ leaseSeconds, wakeup: heard.hear })
    return { backend, store, heard }
  }
  const store = await backend.openStore({ leaseSeconds, manager })
  const around = <T>(work: () => Promise<T>, taskName: string): Promise<T> =>
    inSavepoint(manager, work, taskName)
  return { backend: new WithinTransaction(backend, manager), store, around }
}

/** @throws InvalidSettingsError for a backend that has no database. */
function backendOf(real: TaskBackend, database: BaseKit['settings']['database']): DatabaseBackend {
  if (real instanceof DatabaseBackend && database === undefined) return real
  if (database === undefined)
    throw new InvalidSettingsError(
      `testTasks: TASKS.${real.alias} is ${real.constructor.name}, which keeps no tasks in a database.`,
      'Pass the data source: testTasks({ database: dataSource }).',
    )
  const { queues, options } = real.settings
  const own = real instanceof DatabaseBackend ? options : {}
  return new DatabaseBackend(real.alias, {
    queues: real instanceof UnconfiguredBackend ? [] : queues,
    options: { ...own, dataSource: database },
  })
}
