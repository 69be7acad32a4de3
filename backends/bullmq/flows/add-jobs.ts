import type { Connection } from '../connection'
import type { Call } from '../enqueueing/add-script'
import type { NewJob } from '../enqueueing/new-job'
import { fieldsOf, type Places } from './job-of-flow'
import { Transaction } from './transaction'

/** Members that one ZADD takes. */
const CHUNK = 1_000

/** Jobs that are added in one transaction of Redis, and what is written with them. */
export interface Adding {
  readonly calls: ReadonlyMap<NewJob, Call>
  readonly places: Places
  /** For how long Redis keeps them, and what else it then keeps no longer; without it for good. */
  readonly kept?: Kept
}

interface Kept {
  readonly ms: number
  readonly others: readonly string[]
}

/** What Redis forgets of its scripts in this very moment is added in a transaction of its own. */
export async function addJobs(connection: Connection, adding: Adding): Promise<void> {
  const { calls, places, kept } = adding
  let left: readonly NewJob[] = [...calls.keys()]
  for (let isFirst = true; left.length > 0; isFirst = false) {
    const transaction = await Transaction.begin(connection, calls.values())
    // They come first: Redis refuses them when its memory is full, and so the whole.
    if (isFirst) addPlaces(places, kept, transaction)
    for (const job of left) {
      const key = connection.names.job(job.queue, job.id)
      // Our fields are there already, which BullMQ would take for the job.
      if (!isFirst) transaction.step('del', key)
      addJob(job, key, adding, transaction)
    }
    if (kept) for (const key of kept.others) transaction.step('pexpire', key, kept.ms)
    left = await transaction.commit()
  }
}

function addJob(job: NewJob, key: string, { calls, kept }: Adding, transaction: Transaction): void {
  const call = calls.get(job)
  if (call) transaction.add(job, call)
  const fields = fieldsOf(job.order.flow)
  if (fields.length > 0) transaction.step('hset', key, ...fields)
  if (kept) transaction.step('pexpire', key, kept.ms)
}

function addPlaces(places: Places, kept: Kept | undefined, transaction: Transaction): void {
  for (const [key, members] of places) {
    for (let at = 0; at < members.length; at += 2 * CHUNK)
      transaction.step('zadd', key, ...members.slice(at, at + 2 * CHUNK))
    if (kept) transaction.step('pexpire', key, kept.ms)
  }
}
