import { AsyncLocalStorage } from 'node:async_hooks'
import type { EntityManager } from 'typeorm'
import { joinable } from '../../backends/database/ambient-transaction'
import { partOf } from '../../backends/database/flows/settling'
import type { MemoryRow } from '../../backends/memory/row'
import { failureOf, type HeardLane } from '../run/drain'
import { closing, hearing, LEASE_SECONDS, runRow } from '../run/lane'
import { TaskRunError } from '../run/run-error'
import { catching, type Thrown } from '../run/thrown'
import { freshly } from '../scope'
import type { Recorder } from './recorder'

/** Runs of one task, and tasks within one another. */
const AT_MOST = 1_000

/** How many tasks wait for the enqueue of the next, from the outermost one to the caller. */
const depths = new AsyncLocalStorage<number>()

/** Runs what an enqueue has added. @throws TaskRunError of the first that fails, or that never ends. */
export async function runInline(
  rows: readonly MemoryRow[],
  recorder: Recorder,
  manager: EntityManager | undefined,
): Promise<void> {
  const depth = (depths.getStore() ?? 0) + 1
  const run = (): Promise<void> => depths.run(depth, () => allToTheirEnds(rows, recorder))
  // Within a transaction what else the caller's context holds of that is there, too.
  await (manager ? joinable(manager.connection, (join) => join(manager, run)) : freshly(run))
}

/** All of them, also after one has failed; of a flow also what becomes due when others of it have ended. */
async function allToTheirEnds(rows: readonly MemoryRow[], recorder: Recorder): Promise<void> {
  const failures: TaskRunError[] = []
  const heard = hearing()
  const store = await recorder.openStore({ leaseSeconds: LEASE_SECONDS, wakeup: heard.hear })
  const lane = { backend: recorder, store, heard }
  await closing([store], async () => {
    if (rows.some(({ options }) => partOf(options).awaits)) await store.settleWaiting?.()
    for (let ran = true; ran;) {
      ran = false
      for (const row of rows) {
        if (row.status !== 'READY' || !recorder.isDueNow(row)) continue
        ran = true
        const failure = await toItsEnd(row, lane, recorder)
        if (failure) failures.push(failure)
      }
    }
  })
  if (failures[0]) throw failures[0]
}

/** Its retries follow at once. Gives the failure of one that fails for good. */
async function toItsEnd(
  row: MemoryRow,
  lane: HeardLane,
  recorder: Recorder,
): Promise<TaskRunError | undefined> {
  if ((depths.getStore() ?? 0) > AT_MOST) throw tooDeep(row, recorder)
  const thrown: Thrown = new Map()
  await catching(thrown, async () => {
    for (let runs = 0; row.status === 'READY'; runs++) {
      if (runs >= AT_MOST) throw tooOften(row, recorder)
      await runRow(lane, await recorder.claimed(row, LEASE_SECONDS), { heard: lane.heard })
    }
  })
  return row.status === 'FAILED' ? failureOf([recorder.read(row)], thrown) : undefined
}

function tooDeep(row: MemoryRow, recorder: Recorder): TaskRunError {
  const result = recorder.read(row)
  return new TaskRunError(
    `Task "${result.taskName}" (${result.id}) was enqueued inline by a task that was enqueued by a task, ${AT_MOST} deep.`,
    "Does a task enqueue itself again and again? Otherwise leave out mode: 'inline', and call run() with atMost.",
    { results: [result] },
  )
}

function tooOften(row: MemoryRow, recorder: Recorder): TaskRunError {
  const result = recorder.read(row)
  return new TaskRunError(
    `After ${AT_MOST} runs task "${result.taskName}" (${result.id}) is to run again.`,
    "Inline its retries follow at once. Does it throw RetryLater for ever? Then leave out mode: 'inline', and call run().",
    { results: [result] },
  )
}
