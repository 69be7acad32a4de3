import type { Connection } from '../connection'
import type { Wakeup } from '../../../lib/store'
import { addMany, type AddedOne, isPlain, runsOf } from './add-many'
import { addCall, type Call, callOn } from './add-script'
import type { BareJob, NewJob } from './new-job'
import { addBesideOthers, sendWaiting } from './side-by-side'
import { toldWith, toldWithOne } from './told'

/** Jobs in one round trip. */
const MOST_JOBS = 1_000
/** Characters of arguments in one round trip. */
const MOST_TEXT = 4 * 1024 * 1024

/** The id of the job that stands for a new one: its own, or that of who holds its key. Or why it could not be written. */
export type Answer = string | { readonly reason: unknown }

/** Sends jobs in one round trip. */
export function send(connection: Connection, jobs: readonly NewJob[]): Promise<Answer[]> {
  return sendTelling(connection, jobs, toldWith(connection, jobs))
}

/** The same. `told`: what idle workers are told with some of them. */
export async function sendTelling(
  connection: Connection,
  jobs: readonly BareJob[],
  told: ReadonlyMap<BareJob, Wakeup>,
): Promise<Answer[]> {
  const { client } = connection
  sendWaiting(connection)
  const [only] = jobs
  if (only && jobs.length === 1)
    return [await called(connection, only, told.get(only)).catch((reason: unknown) => ({ reason }))]
  const runs = runsOf(jobs, (job) => told.has(job))
  // Before the pipeline, see `callOn`.
  const calls = runs.map(([job], i) =>
    job && runs[i]?.length === 1 ? callFor(connection, job, told.get(job)) : undefined,
  )
  const steps = client.pipeline()
  for (const [i, run] of runs.entries()) {
    const call = calls[i]
    if (call) void callOn(steps, call)
    else addMany(connection, steps, run)
  }
  const replies = await steps.exec().catch((reason: unknown) => ({ reason }))
  if (!Array.isArray(replies)) return jobs.map(() => ({ reason: replies?.reason }))
  return runs.flatMap((run, i) => answersOf(run, replies[i]))
}

function answersOf(run: readonly BareJob[], reply: [Error | null, unknown] | undefined): Answer[] {
  const [error, added] = reply ?? [new Error('Redis has given too few answers.'), null]
  if (error) return run.map(() => ({ reason: error }))
  if (run.length === 1) return [added as string]
  return (added as AddedOne[]).map((each) =>
    typeof each === 'string' ? each : { reason: new Error(each[0]) },
  )
}

/** After what was handed in before. */
export function sendOne(connection: Connection, job: NewJob): Promise<string> {
  return called(connection, job, toldWithOne(connection, job))
}

function called(connection: Connection, job: BareJob, wakeup: Wakeup | undefined): Promise<string> {
  if (!wakeup && isPlain(job)) return addBesideOthers(connection, job)
  sendWaiting(connection)
  const call = callFor(connection, job, wakeup)
  return callOn(connection.client, call)
}

function callFor(connection: Connection, job: BareJob, wakeup: Wakeup | undefined): Call {
  return addCall(connection, job, wakeup && { wakeup })
}

/** As many at a time as one round trip takes. */
export function portionsOf(jobs: readonly NewJob[]): NewJob[][] {
  const portions: NewJob[][] = []
  let [jobsLeft, textLeft] = [0, 0]
  for (const job of jobs) {
    const size = job.json.data.length
    if (jobsLeft === 0 || size > textLeft) {
      portions.push([])
      ;[jobsLeft, textLeft] = [MOST_JOBS, MOST_TEXT]
    }
    portions.at(-1)?.push(job)
    jobsLeft -= 1
    textLeft -= size
  }
  return portions
}
