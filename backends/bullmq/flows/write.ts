import type { OrderedPart } from '../../../lib/order'
import { isPlain } from '../../../lib/row/flow-parts'
import type { NewOrder } from '../../database/enqueueing/insert'
import { PARKED } from '../../database/enqueueing/shared-values'
import { ordinalOf } from '../../keys'
import type { Connection } from '../connection'
import { addCall, type Call } from '../enqueueing/add-script'
import { type NewJob, newJobs } from '../enqueueing/new-job'
import { toldWith } from '../enqueueing/told'
import type { Written } from '../enqueueing/write'
import { FIELD } from '../job'
import type { Names } from '../names'
import { keysOf, parkedKey, placeOf } from './sets'
import { Transaction } from './transaction'

/** Members that one ZADD takes. */
const CHUNK = 1_000

/** Members of ZSETs, each after its score, by the key of the ZSET. */
type Places = Map<string, (string | number)[]>

/** Writes all jobs of a flow in one transaction of Redis, with what finds them. */
export async function writeFlow(
  connection: Connection,
  orders: readonly NewOrder[],
  alias: string,
): Promise<Written[]> {
  const { names } = connection
  const now = Date.now()
  const jobs = newJobs(names, orders, { alias, now })
  const told = toldWith(
    connection,
    jobs.filter((job) => !isParked(job)),
  )
  const calls = new Map(
    jobs.map((job) => {
      const wakeup = told.get(job)
      return [job, addCall(connection, job, { isParked: isParked(job), ...(wakeup && { wakeup }) })]
    }),
  )
  for (let left: readonly NewJob[] = jobs, isFirst = true; left.length > 0; isFirst = false) {
    const transaction = await Transaction.begin(connection, calls.values())
    if (isFirst) addPlaces(names, jobs, transaction)
    for (const job of left) {
      const call = calls.get(job)
      if (call) addJob(names, { job, call, isFirst }, transaction)
    }
    left = await transaction.commit()
  }
  return jobs.map(written)
}

interface Adding {
  readonly job: NewJob
  readonly call: Call
  readonly isFirst: boolean
}

function addJob(names: Names, { job, call, isFirst }: Adding, transaction: Transaction): void {
  const key = names.job(job.queue, job.id)
  // Our fields are there already, which BullMQ would take for the job.
  if (!isFirst) transaction.step('del', key)
  transaction.add(job, call)
  const fields = fieldsOf(job.order.flow)
  if (fields.length > 0) transaction.step('hset', key, ...fields)
}

function isParked({ order: { flow } }: NewJob): boolean {
  return flow?.awaits !== undefined
}

/** They come first: Redis refuses them when its memory is full, and so the whole. */
function addPlaces(names: Names, jobs: readonly NewJob[], transaction: Transaction): void {
  const places: Places = new Map()
  for (const job of jobs) index(names, job, places)
  for (const [key, members] of places)
    for (let at = 0; at < members.length; at += 2 * CHUNK)
      transaction.step('zadd', key, ...members.slice(at, at + 2 * CHUNK))
}

function index(names: Names, job: NewJob, places: Places): void {
  const { flow } = job.order
  const place = placeOf(job.id, job.queue)
  const put = (key: string, score: number): void => {
    const members = places.get(key)
    if (members) members.push(score, place)
    else places.set(key, [score, place])
  }
  if (isParked(job)) put(parkedKey(names), 0)
  if (!flow?.member) return
  const { all, open } = keysOf(names, flow.member.set)
  const ordinal = ordinalOf(flow.member.set, flow.key) ?? 0
  put(all, ordinal)
  put(open, ordinal)
}

/** What BullMQ keeps with the job, for those that look at many of a flow: only what the key does not say, as in a table. */
function fieldsOf(flow: OrderedPart | undefined): string[] {
  if (!flow?.member && !flow?.awaits) return []
  const { member, awaits, key } = flow
  const isToldByKey = member !== undefined && !awaits && isPlain(member)
  return [
    ...(key === null ? [] : [FIELD.member, key]),
    ...(isToldByKey ? [] : [FIELD.flow, JSON.stringify({ flow: { member, awaits } })]),
  ]
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
