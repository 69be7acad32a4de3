import { isA } from '../../../lib/errors/error-record'
import { DatabaseError, TasksError } from '../../../lib/errors/errors'
import type { ClaimedRow, Wakeup } from '../../../lib/store'
import type { Connection } from '../connection'
import { isAway } from '../clients/away'
import { standingFor } from '../enqueueing/holder'
import { type Answer, sendTelling } from '../enqueueing/send'
import { explained } from '../errors'
import { FIELD } from '../job'
import { type RelayedJob, relayedJob } from './relayed-job'
import { letGo } from '../unique-keys'
import { remember } from './stands-for'

/** Attempts to have a key, or to find who holds it. */
const ATTEMPTS = 100

/**
 * Adds rows as jobs, in one round trip where no key is taken. Resolves to those that Redis does not take, and why.
 *
 * @throws if it takes nothing at present
 */
export async function addRelayed(
  connection: Connection,
  rows: readonly ClaimedRow[],
  alias: string,
): Promise<ReadonlyMap<ClaimedRow, unknown>> {
  const refused = new Map<ClaimedRow, unknown>()
  const jobs = rows.map((row) => relayedJob(connection.names, row))
  if (jobs.length === 0) return refused
  const answers = await sendTelling(connection, jobs, toldWith(jobs))
  for (const job of jobs) keepErrors(connection, job)
  const settled = await Promise.allSettled(
    jobs.map((job, i) => settle(connection, job, answers[i], alias)),
  )
  for (const [i, each] of settled.entries()) {
    const job = jobs[i]
    if (each.status === 'fulfilled' || !job) continue
    const error = explained(each.reason, connection.client, alias)
    if (!isOfJob(error)) throw error
    refused.set(job.row, error)
  }
  return refused
}

/** The last one of each queue tells idle workers. */
function toldWith(jobs: readonly RelayedJob[]): ReadonlyMap<RelayedJob, Wakeup> {
  const last = new Map(jobs.map((job) => [job.row.values.queueName, job]))
  return new Map([...last].map(([queue, job]) => [job, { what: 'ready', queue }]))
}

/** Whether it is about this job, and not about Redis. */
function isOfJob(error: unknown): boolean {
  if (isAway(error) || isA(error, DatabaseError)) return false
  return isA(error, TasksError) || (isA(error, Error) && error.name === 'ReplyError')
}

/** Has a job take its key, unless the holder keeps it: then that stands for the row. */
async function settle(
  connection: Connection,
  job: RelayedJob,
  answer: Answer | undefined,
  alias: string,
): Promise<void> {
  const { id, key, taskKey, argsKwargs, row } = job
  const order = { task: { name: row.values.taskName }, key: taskKey, argsKwargs }
  let holderId = idIn(answer)
  for (let attempt = 0; attempt < ATTEMPTS && holderId !== id && key !== null; attempt++) {
    const standing = await standingFor(connection, { order, key }, holderId, alias)
    if (standing) return remember(connection, job, standing.row_key)
    await letGo(connection, key, holderId)
    holderId = idIn((await sendTelling(connection, [job], toldWith([job])))[0])
  }
}

function idIn(answer: Answer | undefined): string {
  if (typeof answer === 'string') return answer
  throw answer?.reason
}

/** Of one that was retried by hand before it came to Redis. */
function keepErrors({ client, names }: Connection, { id, queue, row }: RelayedJob): void {
  const { errors } = row.values
  if (errors.length === 0) return
  client.hsetnx(names.job(queue, id), FIELD.errors, JSON.stringify(errors)).catch(() => {})
}
