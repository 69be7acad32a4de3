import { dashed } from '../entities/formats'
import { clock } from '../lib/clock'
import { OneClass, onePerProcess } from '../lib/copies/one-per-process'
import type { Order } from '../lib/order'
import { type ErrorRecord, recordOf } from '../lib/errors/error-record'
import { NotSupportedError } from '../lib/errors/errors'
import { taskFinished, taskStarted } from '../lib/events/signals'
import { logState } from '../lib/events/task-log'
import { callTask } from '../lib/execution/executor'
import { inOwnContext } from '../lib/execution/run-context'
import type { Progress } from '../lib/row/record'
import { tasks } from '../lib/registry'
import { slotOf } from '../lib/row/slot'
import type { TaskResult } from '../lib/result'
import type { ClaimedRow, Outcome } from '../lib/store'
import { began, ended } from '../lib/telemetry/runs'
import { endTrace } from '../lib/telemetry/tracer'
import type { Task } from '../lib/task-type'
import { randomWorkerId } from '../lib/worker/worker-id'
import type { FlowPart, FlowPlan } from '../lib/row/flow-parts'
import { Filling } from './database/flows/fill'
import { partOf, Settling } from './database/flows/settling'
import { wholeOptions } from './keys'
import { MemoryFlowRows } from './memory/flow-rows'
import { claimedRow } from './database/row'
import { KeptInMemory } from './memory/kept-in-memory'
import { claim, finish, type MemoryRow } from './memory/row'

/** Finished results that are kept for `getResult`; older ones are forgotten. */
export const KEPT_RESULTS = 1_000

/** The latest finished rows of all: bundlers evaluate the file that configures once for each chunk, so that one backend follows another. */
const latest = onePerProcess('finished rows', () => new Map<string, MemoryRow>())

/** Runs each task at enqueue, in place: for development and tests. Keeps the latest results in memory. */
@OneClass('ImmediateBackend')
export class ImmediateBackend extends KeptInMemory {
  readonly #workerId = randomWorkerId()
  /** The finished rows, in the order in which they finished. */
  readonly #finished = new Set<MemoryRow>()

  override async enqueue(order: Order): Promise<TaskResult<unknown>> {
    // Other keys change nothing: no task waits here.
    const standing = order.key?.kind === 'throttle' ? this.table.standingFor(order) : undefined
    if (standing) return this.resultOf(standing, true)
    const row = this.table.add(order, this.alias)
    this.announced(row)
    return this.#run(row, () => order.task)
  }

  /** Runs it in order, in place. */
  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    const rows = this.placed(plan)
    for (const row of rows) this.announced(row)
    const flowRows = new MemoryFlowRows(this.table)
    const [settling, filling] = [new Settling(flowRows, this.alias, false), new Filling(flowRows)]
    for (const [i, row] of rows.entries()) {
      const order = plan.rows[i]?.order
      if (!order || row.status !== 'READY' || !this.table.rows.has(row.row_key)) continue
      Object.assign(row, await filling.filled(row))
      await this.#run(row, () => order.task)
      const { member } = memberPart(row)
      if (member) await settling.settle([member])
    }
    this.table.forgetSets(rows.flatMap((row) => memberPart(row).member?.set ?? []))
    return rows.map((row) => this.resultOf(row))
  }

  override async getResult(id: string): Promise<TaskResult<unknown>> {
    const row = latest.get(dashed(String(id)))
    return row?.backend_name === this.alias ? this.resultOf(row) : super.getResult(id)
  }

  /** Nothing waits here, and what runs cannot be told from its own enqueue. */
  override async cancel(): Promise<void> {}

  /** Runs a FAILED task again, in place. */
  override async retry(id: string): Promise<TaskResult<unknown>> {
    if (partOf(this.table.get(id).options).awaits)
      throw new NotSupportedError(
        `Task ${id} is a step of a flow, whose values ${this.constructor.name} does not keep.`,
        'Enqueue the flow again.',
      )
    const row = this.table.retry(id)
    this.#finished.delete(row)
    return this.#run(row, () => tasks.get(row.task_path ?? ''))
  }

  async #run(row: MemoryRow, find: () => Task<unknown[], unknown>): Promise<TaskResult<unknown>> {
    claim(row, this.#workerId, this.table.now())
    const running = this.resultOf(row)
    logState(running, 'RUNNING')
    taskStarted.send({ backend: this, result: running })
    const claimed = claimedRow(row)
    const trace = began(this.alias, claimed, 0)
    const startedAt = clock.now()
    const run = (): Promise<Ended> => outcomeOf(row, claimed, find, running)
    const end = await (trace ? trace.within(run) : run())
    const error = end.status === 'FAILED' ? end.error : null
    if (trace) endTrace(trace, { outcome: error ? 'failed' : 'successful', error })
    const outcome: Outcome = { ...end, key: row.row_key, claims: Number(row.claims) }
    finish(row, outcome, this.table.now())
    ended(this.alias, claimed.values, outcome, clock.now() - startedAt)
    this.#forget(row)
    const finished = this.resultOf(row)
    logState(finished, outcome.status, finished.errors.at(-1))
    taskFinished.send({ backend: this, result: finished })
    return finished
  }

  #forget(row: MemoryRow): void {
    this.#finished.add(row)
    latest.set(row.row_key, row)
    const [first] = latest.keys()
    if (latest.size > KEPT_RESULTS && first !== undefined) latest.delete(first)
    const [oldest] = this.#finished
    if (this.#finished.size <= KEPT_RESULTS || !oldest) return
    this.#finished.delete(oldest)
    this.table.rows.delete(oldest.row_key)
  }
}

function memberPart({ options, unique_key }: MemoryRow): FlowPart {
  return partOf(wholeOptions(options, unique_key))
}

type Ended =
  | { readonly status: 'SUCCESSFUL'; readonly returnValue: string | null }
  | { readonly status: 'FAILED'; readonly error: ErrorRecord }

/** Nothing is retried here, so only the record of an error counts. */
async function outcomeOf(
  row: MemoryRow,
  { options }: ClaimedRow,
  find: () => Task<unknown[], unknown>,
  running: TaskResult<unknown>,
): Promise<Ended> {
  try {
    const task = find()
    const surroundings = {
      signal: new AbortController().signal,
      report: (progress: Progress) => void (row.progress = JSON.stringify(progress)),
    }
    // The caller, and its next enqueue, must not see what the task leaves in its context.
    const returnValue = await inOwnContext(() =>
      callTask(task, running, surroundings, slotOf(options)),
    )
    return { status: 'SUCCESSFUL', returnValue }
  } catch (error) {
    return { status: 'FAILED', error: recordOf(error) }
  }
}
