import { isA } from '../../../lib/errors/error-record'
import { DatabaseError, TasksError } from '../../../lib/errors/errors'
import type { ClaimedRow } from '../../../lib/store'
import type { Connection } from '../connection'
import { isAway } from '../clients/away'
import { free, standingFor } from '../enqueueing/holder'
import { add } from '../enqueueing/send'
import { explained } from '../errors'
import { FIELD } from '../job'
import { type RelayedJob, relayedJob } from './relayed-job'
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
  keys: ReadonlyMap<string, string>,
  alias: string,
): Promise<ReadonlyMap<ClaimedRow, unknown>> {
  const refused = new Map<ClaimedRow, unknown>()
  const jobs: RelayedJob[] = []
  for (const row of rows)
    try {
      jobs.push(relayedJob(connection.names, row, keys.get(row.key)))
    } catch (error) {
      refused.set(row, error)
    }
  if (jobs.length === 0) return refused
  const { client, names } = connection
  const indexed = client.zadd(names.ids, ...jobs.flatMap(({ id, queue }) => [0, `${id}:${queue}`]))
  const adding = jobs.map((job) => added(connection, job, alias))
  const [index, ...answers] = await Promise.allSettled([indexed, ...adding])
  if (index.status === 'rejected') throw explained(index.reason, client, alias)
  for (const [i, answer] of answers.entries()) {
    const job = jobs[i]
    if (answer.status === 'fulfilled' || !job) continue
    const error = explained(answer.reason, client, alias)
    if (!isOfJob(error)) throw error
    refused.set(job.row, error)
  }
  return refused
}

/** Whether it is about this job, and not about Redis. */
function isOfJob(error: unknown): boolean {
  if (isAway(error) || isA(error, DatabaseError)) return false
  return isA(error, TasksError) || (isA(error, Error) && error.name === 'ReplyError')
}

async function added(connection: Connection, job: RelayedJob, alias: string): Promise<void> {
  const { id, key, taskKey, argsKwargs, row } = job
  const adding = add(connection, job)
  keepErrors(connection, job)
  let holderId = await adding
  for (let attempt = 0; attempt < ATTEMPTS && holderId !== id && key !== null; attempt++) {
    const order = { task: { name: row.values.taskName }, key: taskKey, argsKwargs }
    const standing = await standingFor(connection, { order, key }, holderId, alias)
    if (standing) return remember(connection, job, standing.row_key)
    ;[, holderId] = await Promise.all([free(connection, key, holderId), add(connection, job)])
  }
}

/** Of one that was retried by hand before it came to Redis. */
function keepErrors({ client, names }: Connection, { id, queue, row }: RelayedJob): void {
  const { errors } = row.values
  if (errors.length === 0) return
  client.hsetnx(names.job(queue, id), FIELD.errors, JSON.stringify(errors)).catch(() => {})
}
