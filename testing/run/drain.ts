import {
  type ClaimedRow,
  type ErrorRecord,
  type Outcome,
  ResultNotFoundError,
  type TaskResult,
} from '../../index'
import { clock } from '../../lib/clock'
import { headline, isA } from '../../lib/errors/error-record'
import { RetryLater } from '../../lib/errors/run-errors'
import { AGAIN_MS, claimNext, type Hearing, type Lane, runRow } from './lane'
import { notClaimed } from './not-claimed'
import { TaskRunError } from './run-error'
import { catching, type Thrown } from './thrown'

export interface RunOptions {
  /** Queues to serve, or `'*'`. Default `'*'`. */
  queues?: readonly string[] | '*' | undefined
  /**
   * Also runs what is due later, retries among them: before each such run the kit travels to its instant. Default false.
   */
  untilFinished?: boolean | undefined
  /** Throws a `TaskRunError` once all is done if the last run of a task has failed. Default true. */
  throwFailures?: boolean | undefined
  /** Runs at most so many tasks; throws if there are more. Default 1000. */
  atMost?: number | undefined
}

/** What was run. */
export interface RunReport {
  /** How many runs there were: a task that is retried has several. */
  readonly runs: number
  /** The tasks that ran, each once, in the order of their first runs; without those whose rows a task has deleted. */
  readonly results: readonly TaskResult<unknown>[]
}

export interface Draining {
  readonly queues: readonly string[] | null
  readonly untilFinished: boolean
  readonly throwFailures: boolean
  readonly atMost: number
  /** Milliseconds until the next row is due, less than 0 if it is; undefined: none waits for its time. */
  readonly untilNext: () => Promise<number | undefined>
  /** All that are READY and due, for an error. */
  readonly due: () => Promise<readonly TaskResult<unknown>[]>
  readonly travel: (ms: number) => Promise<void>
}

/** So often a row that is due is asked for: another transaction may have it locked for a moment. */
const MOST_REFUSED = 20

/** A lane, and what its store hears. */
export type HeardLane = Lane & { readonly heard?: Hearing | undefined }

interface Done {
  readonly lane: Lane
  readonly name: string
  outcome: Outcome | undefined
}

/** Runs what is due, and what that enqueues, one after another, until nothing is left. */
export async function drain(lanes: readonly HeardLane[], options: Draining): Promise<RunReport> {
  const done = new Map<string, Done>()
  const thrown: Thrown = new Map()
  const runs = await catching(thrown, () => runAll(lanes, options, done))
  const results: TaskResult<unknown>[] = []
  // One after another: a transaction has one connection.
  for (const [id, { lane }] of done) {
    const result = await resultOf(lane, id)
    if (result) results.push(result)
  }
  if (options.throwFailures) throwFailed(results, done, thrown)
  return { runs, results }
}

/** Undefined: a task has deleted the row. */
async function resultOf({ backend }: Lane, id: string): Promise<TaskResult<unknown> | undefined> {
  try {
    return await backend.getResult(id)
  } catch (error) {
    if (isA(error, ResultNotFoundError)) return undefined
    throw error
  }
}

async function runAll(
  lanes: readonly HeardLane[],
  options: Draining,
  done: Map<string, Done>,
): Promise<number> {
  for (const { store } of lanes) await store.settleWaiting?.()
  for (let runs = 0; ; runs++) {
    const next = await nextOf(lanes, options)
    if (!next) return runs
    const { lane, row } = next
    const { id, taskName: name } = row.values
    if (runs >= options.atMost) throw await tooMany(lane, row, options.atMost)
    const known = done.get(id) ?? { lane, name, outcome: undefined }
    done.set(id, known)
    known.outcome = await runRow(lane, row, { heard: lane.heard })
  }
}

async function nextOf(
  lanes: readonly HeardLane[],
  options: Draining,
): Promise<{ lane: HeardLane; row: ClaimedRow } | undefined> {
  const { queues, untilFinished, untilNext, travel } = options
  for (let refused = 0; ;) {
    for (const lane of lanes) {
      const row = await claimNext(lane, queues)
      if (row) return { lane, row }
    }
    const ms = untilFinished ? await untilNext() : undefined
    if (ms === undefined) return undefined
    // What is due in this millisecond may be due in a part of it.
    if (ms >= 0) await travel(ms + 1)
    else if (refused++ < MOST_REFUSED) await clock.sleep(AGAIN_MS)
    else throw await notClaimed(lanes, await options.due())
  }
}

async function tooMany(
  { backend, store }: Lane,
  row: ClaimedRow,
  atMost: number,
): Promise<TaskRunError> {
  await store.release([row])
  const { id, taskName } = row.values
  return new TaskRunError(
    `After ${atMost} runs task "${taskName}" (${id}) is due still.`,
    'Does a task enqueue itself again and again? Otherwise raise atMost.',
    { results: [await backend.getResult(id)] },
  )
}

/** @throws TaskRunError if the last run of a task has failed. */
function throwFailed(
  results: readonly TaskResult<unknown>[],
  done: ReadonlyMap<string, Done>,
  thrown: Thrown,
): void {
  const failed = results.filter(({ id }) => {
    const status = done.get(id)?.outcome?.status
    if (status === 'READY') return thrown.has(id) && !isA(thrown.get(id), RetryLater)
    return status === 'FAILED'
  })
  if (failed.length > 0) throw failureOf(failed, thrown)
}

export function failureOf(failed: readonly TaskResult<unknown>[], thrown: Thrown): TaskRunError {
  const [first, ...others] = failed
  const more = others.length === 0 ? '' : `, and ${others.length} more failed`
  return new TaskRunError(
    `Task "${first?.taskName}" (${first?.id}) failed${retryOf(first)}: ${lastOf(first?.errors) ?? 'no error was stored'}${more}.`,
    'Its own error is the cause. Pass throwFailures: false if it is meant to fail.',
    { results: failed, cause: thrown.get(first?.id ?? '') },
  )
}

function retryOf(result: TaskResult<unknown> | undefined): string {
  return result?.status === 'READY' ? ` in run ${result.attempts}, and is to run again` : ''
}

function lastOf(errors: readonly ErrorRecord[] | undefined): string | undefined {
  return headline(errors?.at(-1))
}
