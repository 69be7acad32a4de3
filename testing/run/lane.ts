import type { TaskBackend, TaskResult } from '../../index'
import { clock } from '../../lib/clock'
import { headline, recordOf } from '../../lib/errors/error-record'
import { TaskCancelled } from '../../lib/errors/run-errors'
import { taskFinished } from '../../lib/events/signals'
import { flowPartOf } from '../../lib/row/flow-parts'
import type { ClaimedRow, Outcome, Store, Wakeup } from '../../lib/store'
import { TaskRunError } from './run-error'
import { type Ran, Slot } from './slot'

/** A row stays claimed for so many seconds, since nothing renews its lease: a debugger may halt a test for long. */
export const LEASE_SECONDS = 3_600
/** Delay in ms before a row that somebody has locked is asked for, or its outcome handed in, again. */
export const AGAIN_MS = 50

const WORKER_ID = 'test'

/** Where tasks of one backend are run, one after another. */
export interface Lane {
  /** The backend as the tasks see it. */
  readonly backend: TaskBackend
  readonly store: Store
  /** Calls a run of a task of that name; by default as it is. */
  readonly around?: (<T>(work: () => Promise<T>, taskName: string) => Promise<T>) | undefined
}

/** A lane, whose store is opened with `hear`, and what it hears of the row that runs. */
export interface Hearing {
  readonly hear: (wakeup: Wakeup) => void
  slot?: { readonly key: string; readonly slot: Slot } | undefined
}

/** What a store tells while a row runs: only a cancel matters here. */
export function hearing(): Hearing {
  const heard: Hearing = {
    hear: (wakeup) => {
      if (wakeup.what === 'cancel' && heard.slot?.key === wakeup.key) heard.slot.slot.cancel()
    },
  }
  return heard
}

/** The next row that is due; undefined: there is none. `queues`: null for all. */
export async function claimNext(
  { store }: Lane,
  queues: readonly string[] | null,
): Promise<ClaimedRow | undefined> {
  const paused = ((await store.pausedQueues?.()) ?? []).map(({ queue }) => queue)
  const served = queues?.filter((queue) => !paused.includes(queue)) ?? null
  if (served?.length === 0) return undefined
  const filter = { workerId: WORKER_ID, queues: served, excludeQueues: served ? [] : paused }
  const { claimed, failure } = await store.exchange([], 1, filter)
  if (failure !== undefined) throw failure
  return claimed[0]
}

/** Runs a claimed row, stores what came of it, and settles its flow. Undefined: somebody else has the row now. */
export async function runRow(
  lane: Lane,
  row: ClaimedRow,
  { heard, signal }: { heard?: Hearing | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Outcome | undefined> {
  const { backend, store, around = (work) => work() } = lane
  const slot = new Slot(backend, store.maxCrashes)
  if (heard) heard.slot = { key: row.key, slot }
  const ran = await around(() => slot.run(row, signal), row.values.taskName).catch(
    async (error: unknown) => {
      // A row of a transaction that the task has committed: nobody else would end it.
      const { key, claims } = row
      await handedIn(store, { key, claims, status: 'FAILED', error: recordOf(error) }).catch(
        () => {},
      )
      throw error
    },
  )
  if ('unbegun' in ran) throw await givenBack(lane, row, ran)
  const outcome = await handedIn(store, ran.outcome)
  if (!outcome || outcome.status === 'READY') return outcome
  const { member } = flowPartOf(row.options)
  if (member) await store.settle?.([member])
  await tell(backend, row)
  return outcome
}

async function tell(backend: TaskBackend, { values: { id } }: ClaimedRow): Promise<void> {
  if (taskFinished.isHeard) taskFinished.send({ backend, result: await backend.getResult(id) })
}

async function givenBack(
  { backend, store }: Lane,
  row: ClaimedRow,
  { unbegun }: Extract<Ran, { unbegun: unknown }>,
): Promise<TaskRunError> {
  await store.release([row])
  const { id, taskName } = row.values
  return new TaskRunError(
    `Task "${taskName}" (${id}) could not begin: ${headline(unbegun ?? undefined) ?? 'its run was stopped'}`,
    'Correct the set-up of the test; the task is READY again.',
    { results: [(await backend.getResult(id)) as TaskResult<unknown>] },
  )
}

async function handedIn(store: Store, outcome: Outcome): Promise<Outcome | undefined> {
  const filter = { workerId: WORKER_ID, queues: null, excludeQueues: [] }
  for (;;) {
    const { answers } = await store.exchange([outcome], 0, filter)
    const [answer] = answers
    if (answer === 'kept') return outcome
    if (answer === 'later') await clock.sleep(AGAIN_MS)
    else if (answer === 'refused' || answer === undefined) return cancelled(store, outcome)
    else return answer
  }
}

/** A row that was cancelled while it ran ends as cancelled, and in no other way. */
async function cancelled(store: Store, { key, claims }: Outcome): Promise<Outcome | undefined> {
  const { cancelled: asked } = await store.renew([{ key, claims }])
  if (asked.length === 0) return undefined
  const outcome: Outcome = { key, claims, status: 'FAILED', error: recordOf(new TaskCancelled()) }
  const filter = { workerId: WORKER_ID, queues: null, excludeQueues: [] }
  const { answers } = await store.exchange([outcome], 0, filter)
  return answers[0] === 'kept' ? outcome : undefined
}

/** Calls `work`, and closes the stores in any case. */
export async function closing<T>(
  stores: readonly Pick<Store, 'close'>[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } finally {
    for (const store of stores) await store.close()
  }
}
