import { AsyncLocalStorage } from 'node:async_hooks'
import { LeaseLost } from '../errors/run-errors'
import { DEFAULT_POLICY, type Policy, overridden } from '../tasks/run-policy'
import { tasks } from '../registry'
import { backends } from '../backend-registry'
import type { ClaimedRow, Outcome } from '../store'
import { type RunOutcome, failed } from '../execution/run-outcome'
import { hostExecutorOf } from '../execution/executor'
import { inFreshContext } from '../execution/run-context'
import { inChild } from '../telemetry/tracer'
import { type FromChild, type RunMessage, type ToChild, reasonOf, rowOf } from './ipc-messages'

interface Current {
  readonly id: string
  readonly abort: AbortController
  readonly policy: Policy
  /** Waits for the answer to `completing`. */
  answer: (outcome: Outcome | null) => void
}

/** The id of the run whose code is at work, also in timers and promises that outlive the run. */
const origin = new AsyncLocalStorage<string>()

/** Where a child process runs its tasks, one after the other. */
export class TaskHost {
  readonly #tell: (message: FromChild & { readonly id?: string }) => void
  #current: Current | undefined

  constructor(tell: (message: FromChild & { readonly id?: string }) => void) {
    this.#tell = tell
  }

  get isBusy(): boolean {
    return this.#current !== undefined
  }

  /** Whether the code at work is of a run that has ended. */
  get isAtEarlierRun(): boolean {
    const id = origin.getStore()
    return id !== undefined && id !== this.#current?.id
  }

  async run(message: ToChild & { typeormTasks: 'run' }): Promise<void> {
    const { backend, id, row: text, trace } = message
    const row = rowOf(text)
    const policy = overridden(
      tasks.find(row.values.taskName)?.policy ?? DEFAULT_POLICY,
      row.options,
    )
    const current: Current = { id, abort: new AbortController(), policy, answer: () => {} }
    this.#current = current
    this.#say({ typeormTasks: 'taken' }, current)
    const runOutcome = await inFreshContext(() =>
      origin.run(id, () => inChild(trace, () => this.#carriedOut(backend, row, current))),
    )
    this.#current = undefined
    this.#say({ typeormTasks: 'ended', runOutcome }, current)
  }

  #say(message: RunMessage, { id }: Current): void {
    this.#tell({ ...message, id })
  }

  /** The worker tells the run to stop. */
  abort(reason: string): void {
    this.#current?.abort.abort(reasonOf(reason, this.#current.policy.timeLimit))
  }

  /** The worker's answer to a run that is about to commit. */
  complete(outcome: Outcome | null): void {
    this.#current?.answer(outcome)
  }

  /** Retries are decided by the error itself, which cannot be sent: so the run outcome is made here. */
  async #carriedOut(alias: string, row: ClaimedRow, current: Current): Promise<RunOutcome> {
    const {
      policy,
      abort: { signal },
    } = current
    try {
      const backend = backends.get(alias)
      return await hostExecutorOf(tasks.find(row.values.taskName))({
        row,
        policy,
        signal,
        backend,
        begins: () => this.#say({ typeormTasks: 'began' }, current),
        report: (progress) =>
          void (
            this.#current === current && this.#say({ typeormTasks: 'progress', progress }, current)
          ),
        completion: (returnValue) => this.#completion(returnValue, current),
      })
    } catch (error) {
      return failed(error, { row, policy, signal })
    }
  }

  /** The worker is asked, and not only told: else it could hear of the commit from the database first, and take the row for lost. */
  async #completion(returnValue: string | null, current: Current): Promise<Outcome> {
    const answered = new Promise<Outcome | null>((resolve) => (current.answer = resolve))
    this.#say({ typeormTasks: 'completing', returnValue }, current)
    const outcome = await answered
    if (outcome) return outcome
    current.abort.signal.throwIfAborted()
    throw new LeaseLost()
  }
}
