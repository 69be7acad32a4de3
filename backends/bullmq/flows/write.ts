import type { NewOrder } from '../../database/enqueueing/insert'
import { PARKED } from '../../database/enqueueing/shared-values'
import type { Connection } from '../connection'
import { addCall } from '../enqueueing/add-script'
import { type NewJob, newJobs } from '../enqueueing/new-job'
import { toldWith } from '../enqueueing/told'
import type { Written } from '../enqueueing/write'
import { addJobs } from './add-jobs'
import { addMember, addParked, isParked, type Places } from './job-of-flow'
import { writeLarge } from './write-large'

/** The most jobs of one transaction: Redis does nothing else meanwhile, for about 20 ms of each thousand. */
const LARGE = 2_000

/** Writes all jobs of a flow, with what finds them: to all others they are there at once. */
export async function writeFlow(
  connection: Connection,
  orders: readonly NewOrder[],
  alias: string,
): Promise<Written[]> {
  const jobs = newJobs(connection.names, orders, { alias, now: Date.now() })
  if (jobs.length > LARGE) await writeLarge(connection, jobs)
  else await writeAtOnce(connection, jobs)
  return jobs.map(written)
}

async function writeAtOnce(connection: Connection, jobs: readonly NewJob[]): Promise<void> {
  const { names } = connection
  const told = toldWith(
    connection,
    jobs.filter((job) => !isParked(job)),
  )
  const places: Places = new Map()
  for (const job of jobs) {
    addParked(names, job, places)
    addMember(names, job, places)
  }
  const calls = new Map(
    jobs.map((job) => {
      const wakeup = told.get(job)
      return [job, addCall(connection, job, { isParked: isParked(job), ...(wakeup && { wakeup }) })]
    }),
  )
  await addJobs(connection, { calls, places })
}

function written(job: NewJob): Written {
  const { id, order } = job
  const row = (): ReturnType<NewJob['row']> => ({
    ...job.row(),
    unique_key: order.flow?.key ?? null,
    ...(isParked(job) && { run_after: PARKED }),
  })
  return { of: id, id, taskName: order.task.name, row, isNew: true }
}
