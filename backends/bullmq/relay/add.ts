import type { ClaimedRow } from '../../../lib/store'
import type { Connection } from '../connection'
import { dataOf } from '../job'
import { bullPriority } from '../names'

/** Adds rows as jobs in one round trip. Resolves to those that Redis does not take, and why. @throws if it takes nothing at present */
export async function addRelayed(
  connection: Connection,
  rows: readonly ClaimedRow[],
  _keys: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<ClaimedRow, unknown>> {
  const { names, client } = connection
  const refused = new Map<ClaimedRow, unknown>()
  if (rows.length === 0) return refused
  const jobs = rows.map(({ values, options }) => {
    const { id, args, kwargs, priority, queueName, taskName, enqueuedAt, runAfter } = values
    const timestamp = enqueuedAt?.getTime() ?? Date.now()
    const argsKwargs = JSON.stringify({ args, kwargs })
    const delay = runAfter ? runAfter.getTime() - timestamp || -1 : 0
    const urgency = bullPriority(priority)
    const data = dataOf(
      argsKwargs,
      Object.keys(options).length > 0 ? JSON.stringify(options) : null,
    )
    const opts = {
      jobId: id,
      attempts: 1,
      ...(delay !== 0 && { delay }),
      ...(urgency > 0 && { priority: urgency }),
    }
    return {
      queue: names.queueFor(queueName, priority),
      job: { id, name: taskName, data, timestamp, opts },
    }
  })
  const indexed = client.zadd(
    names.ids,
    ...jobs.flatMap(({ job, queue }) => [0, `${job.id}:${queue}`]),
  )
  const added = jobs.map(({ queue, job }) => connection.queue(queue).addJob(job as never, job.id))
  await Promise.all([indexed, ...added])
  return refused
}
