import type { TaskBackend } from '../../index'
import { clock } from '../../lib/clock'
import type { ErrorRecord } from '../../lib/errors/error-record'
import { TaskCancelled } from '../../lib/errors/run-errors'
import { type Executor, hostExecutorOf } from '../../lib/execution/executor'
import { inOwnContext } from '../../lib/execution/run-context'
import { tasks } from '../../lib/registry'
import type { ClaimedRow, Outcome } from '../../lib/store'
import { ClaimedTask, type Owner } from '../../lib/worker/pool/claimed-task'
import { StageLists } from '../../lib/worker/pool/stage-lists'
import type { Stage } from '../../lib/worker/pool/stages'

/** What a run came to; without an outcome trouble of the set-up kept the task from beginning. */
export type Ran = { readonly outcome: Outcome } | { readonly unbegun: ErrorRecord | null }

/** Isolated tasks run in the process of the test, where its stubs are. */
const inThisProcess: Executor = (run) => hostExecutorOf(tasks.find(run.row.values.taskName))(run)

/** Carries out one claimed row, by the code that does so in a worker. */
export class Slot implements Owner {
  readonly backend: TaskBackend
  readonly maxCrashes: number
  readonly isolated = inThisProcess
  readonly #lists = new StageLists<ClaimedTask>()
  #task: ClaimedTask | undefined
  #unbegun: { readonly unbegun: ErrorRecord | null } | undefined
  #end = (): void => {}

  constructor(backend: TaskBackend, maxCrashes: number) {
    this.backend = backend
    this.maxCrashes = maxCrashes
  }

  /** Once only. Never rejects, whatever the task does. */
  async run(row: ClaimedRow, signal?: AbortSignal): Promise<Ran> {
    const task = new ClaimedTask(this, row, clock.now())
    this.#task = task
    this.#lists.waiting.add(task)
    this.#lists.move(task, 'running')
    const cancel = (): void => this.cancel()
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    await new Promise<void>((resolve) => {
      this.#end = resolve
      inOwnContext(() => task.run())
    })
    signal?.removeEventListener('abort', cancel)
    return this.#unbegun ?? { outcome: task.outcome }
  }

  /** Somebody asked for the end of the row. */
  cancel(): void {
    this.#task?.stop(new TaskCancelled())
  }

  move(task: ClaimedTask, stage: Stage): void {
    this.#lists.move(task, stage)
    if (stage === 'ended' || stage === 'gone') this.#end()
  }

  giveBack(task: ClaimedTask): void {
    this.giveBackUnbegun(task, null)
  }

  giveBackUnbegun(task: ClaimedTask, error: ErrorRecord | null): void {
    this.#unbegun = { unbegun: error }
    this.move(task, 'gone')
  }

  mayBeKnownElsewhere(): boolean {
    return false
  }
}
