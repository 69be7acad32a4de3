import {
  InvalidSettingsError,
  NotSupportedError,
  type Schedule,
  type TaskResult,
  startWorker,
} from '../../index'
import type { RunningWorker, WorkerOptions, TaskBackend } from '../../index'
import {
  type Rule,
  check,
  isWithin,
  settingsSubject,
  wholeNumber,
} from '../../lib/errors/option-checks'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import { schedules } from '../../lib/schedules/registry'
import type { TestSettings } from '../options'
import { failureOf } from '../run/drain'
import { begin, end, type StandIn, within } from '../scope'

export interface FinishedOptions {
  /** Milliseconds until it gives up. Default 5000. */
  timeout?: number | undefined
  /** Throws a `TaskRunError` if the task has failed. Default true. */
  throwFailures?: boolean | undefined
}

/** Workers of a test. */
export interface TestWorkers {
  readonly workers: readonly RunningWorker[]
  /** Finishes what runs; `restore` does it, too. */
  stop(): Promise<void>
}

const NEVER = new Map<string, unknown>()
/** Milliseconds between two looks of a worker that has nothing to do. */
const INTERVAL_MS = 20
const FINISHED_MS = 5_000
/** A thousand years. Some databases have no instants before the year 1000. */
const MOST_MS = 31_557_600_000_000
const TRAVELLED: Rule = {
  expected: `a number of milliseconds from 0 to ${MOST_MS}, which are 1000 years`,
  isSound: (value) => isWithin(value, 0, MOST_MS),
}

/** What both kits have. */
export abstract class BaseKit {
  protected readonly settings: TestSettings
  readonly #workers = new Set<RunningWorker>()
  #isRestored = false
  readonly #standIn: StandIn = { backendFor: (real) => this.backendFor(real) }

  constructor(settings: TestSettings) {
    this.settings = settings
  }

  protected abstract backendFor(real: TaskBackend): TaskBackend

  /** Moves all tasks into the past, as if so many milliseconds had passed: what is due by then is due now. */
  abstract travel(ms: number): Promise<void>

  protected begin(): this {
    begin(this.#standIn)
    return this
  }

  /** Its backends are those of the app, or of a later kit, from `restore` on. @throws NotSupportedError then. */
  protected assertStands(what: string): void {
    if (!this.#isRestored) return
    throw new NotSupportedError(
      `${what}: the kit was restored, so it has no tasks any more.`,
      `Call ${what} before restore(), or begin another kit by testTasks().`,
    )
  }

  protected within<T>(work: () => T): T {
    return within(this.#standIn, work)
  }

  /**
   * Enqueues what a schedule would for a slot, due at once; by default for its last slot.
   *
   * @throws InvalidSettingsError for a name that no schedule has.
   */
  async fire<Return>(
    schedule: Schedule<Return> | string,
    slot?: Date,
  ): Promise<TaskResult<Return>> {
    this.assertStands('fire')
    const found = typeof schedule === 'string' ? scheduleOf(schedule) : schedule
    const [last = new Date()] = found.slots.upTo(Date.now(), 1)
    return this.within(() => found.fire(slot ?? last)) as Promise<TaskResult<Return>>
  }

  /**
   * Waits until a task has finished, as one that is run by `workers`. Resolves to the same result, refreshed.
   *
   * @throws WaitTimeoutError when `timeout` milliseconds have passed; TaskRunError if it failed.
   */
  async finished<Return>(
    result: TaskResult<Return>,
    { timeout = FINISHED_MS, throwFailures = true }: FinishedOptions = {},
  ): Promise<TaskResult<Return>> {
    await result.wait({ timeout })
    if (throwFailures && result.status === 'FAILED') throw failureOf([result], NEVER)
    return result
  }

  /** Starts real workers side by side, for tests of races. They serve all queues of the backend `default`, and fire no schedules, unless told otherwise. */
  async workers(count = 1, options: WorkerOptions = {}): Promise<TestWorkers> {
    this.assertStands('workers')
    check(settingsSubject('workers'), 'count', count, wholeNumber(1))
    const wanted = { queues: '*', interval: INTERVAL_MS, schedules: false, ...options } as const
    const started = await this.within(() =>
      Promise.all(Array.from({ length: count }, () => startWorker(wanted))),
    )
    for (const worker of started) this.#workers.add(worker)
    return { workers: started, stop: () => this.#stop(started) }
  }

  /** Gives the app its own backends back, and stops the workers of the test. May be called again. */
  restore(): Promise<void> {
    this.#isRestored = true
    end(this.#standIn)
    return this.#stop([...this.#workers])
  }

  /** For `using tasks = testTasks()`; workers stop later. */
  [Symbol.dispose](): void {
    void this.restore()
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.restore()
  }

  protected assertMs(ms: number): void {
    this.assertStands('travel')
    check(settingsSubject('travel'), 'ms', ms, TRAVELLED)
  }

  async #stop(workers: readonly RunningWorker[]): Promise<void> {
    for (const worker of workers) this.#workers.delete(worker)
    await Promise.all(workers.map((worker) => worker.stop()))
  }
}

function scheduleOf(name: string): Schedule<unknown> {
  const found = schedules.find(name)
  if (found) return found
  const known = schedules.all().map((each) => each.name)
  throw new InvalidSettingsError(
    `No schedule is named ${shown(name)}; this process knows ${known.length === 0 ? 'none' : known.length}.`,
    didYouMean(name, known) ?? 'Import the file that defines it.',
  )
}
