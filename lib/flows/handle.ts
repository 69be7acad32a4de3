import { clock } from '../clock'
import { OneClass } from '../copies/one-per-process'
import { WaitTimeoutError } from '../errors/errors'
import { assertWait, type TaskResult, type WaitOptions } from '../result'

/** An enqueued flow: the results of its tasks. */
@OneClass('FlowHandle')
export class FlowHandle<Gives, Last = unknown> {
  /** Only for the compiler. */
  declare readonly gives: Gives
  /** The result of the last task; of a flow that ends with a group, of its last member. */
  readonly last: TaskResult<Last>
  readonly #results: readonly TaskResult<unknown>[]
  readonly #lasts: readonly TaskResult<unknown>[]

  /** `results`: of all tasks that `progress` counts, in the order of the flow; `lasts`: those of the last step. */
  constructor(results: readonly TaskResult<unknown>[], lasts: readonly TaskResult<unknown>[]) {
    this.#results = results
    this.#lasts = lasts
    this.last = lasts.at(-1) as TaskResult<Last>
  }

  /** How many of the tasks had finished when they were last read; those of callbacks are not counted. */
  get progress(): { readonly done: number; readonly total: number } {
    const done = this.#results.filter(({ isFinished }) => isFinished).length
    return { done, total: this.#results.length }
  }

  /** The results of all tasks of the flow, in its order, read anew where they were not SUCCESSFUL; without those of callbacks. */
  async results(): Promise<readonly TaskResult<unknown>[]> {
    await refreshed(this.#results)
    return this.#results
  }

  /**
   * Polls until the last step has finished, however it ended, reads all results anew, and resolves to this handle.
   *
   * @throws WaitTimeoutError when `timeout` milliseconds have passed; InvalidTaskError without a timeout.
   */
  async wait(options: WaitOptions): Promise<this> {
    const { timeout, signal } = assertWait(options)
    const deadline = clock.now() + timeout
    for (const result of this.#lasts) {
      const left = Math.max(0, deadline - clock.now())
      await result.wait({ timeout: left, signal }).catch((error: unknown) => {
        throw error instanceof WaitTimeoutError
          ? new WaitTimeoutError(result.id, timeout, result.status, result.isWaiting)
          : error
      })
    }
    await refreshed(this.#results)
    return this
  }

  /** Asks that no task of the flow runs any more: what waits is FAILED, what runs is asked to stop; callbacks run all the same. */
  async cancel(): Promise<this> {
    // From the end: what would follow a cancelled task is cancelled by then.
    for (const result of this.#results.toReversed()) if (!result.isFinished) await result.cancel()
    return this
  }
}

/** Results that are read side by side. */
const AT_ONCE = 10

/** One that is FAILED may have been retried by hand. */
async function refreshed(results: readonly TaskResult<unknown>[]): Promise<void> {
  const open = results.filter(({ status }) => status !== 'SUCCESSFUL')
  for (let i = 0; i < open.length; i += AT_ONCE)
    await Promise.all(open.slice(i, i + AT_ONCE).map((result) => result.refresh()))
}
