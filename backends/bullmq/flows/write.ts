import { utcText } from '../../../entities/formats'
import type { OrderedPart } from '../../../lib/order'
import { isPlain } from '../../../lib/row/flow-parts'
import type { NewOrder } from '../../database/enqueueing/insert'
import { sharedValues } from '../../database/enqueueing/shared-values'
import { newRow } from '../../database/new-row'
import type { RawRow } from '../../database/row'
import { ordinalOf } from '../../keys'
import type { Connection } from '../connection'
import { dataOf, FIELD } from '../job'
import { bullPriority } from '../names'
import { keysOf, parkedKey, placeOf } from './sets'
import { Transaction } from './transaction'

/** Members that one ZADD takes. */
const CHUNK = 1_000

/** Members of ZSETs, each after its score, by the key of the ZSET. */
type Places = Map<string, (string | number)[]>

/** Writes all jobs of a flow in one transaction of Redis, with what finds them. Resolves to them as rows. */
export async function writeFlow(
  connection: Connection,
  orders: readonly NewOrder[],
  alias: string,
): Promise<RawRow[]> {
  const [first] = orders
  if (!first) return []
  const transaction = await Transaction.begin(connection, queueOf(connection, first))
  const { steps } = transaction
  const now = Date.now()
  const places: Places = new Map()
  for (const order of orders) index(connection, order, places)
  // First what Redis refuses when its memory is full: then it refuses the whole.
  for (const [key, members] of places)
    for (let at = 0; at < members.length; at += 2 * CHUNK)
      steps.zadd(key, ...members.slice(at, at + 2 * CHUNK))
  const rows = orders.map((order) => add(connection, transaction, { order, alias, now }))
  const queues = new Set(orders.filter(isDueNow).map(({ order }) => order.task.queueName))
  for (const queue of queues)
    steps.publish(connection.names.wakeups, JSON.stringify({ what: 'ready', queue }))
  await transaction.commit()
  return rows
}

function isDueNow({ order: { flow, task } }: NewOrder): boolean {
  return !flow?.awaits && task.runAfter === null
}

function queueOf({ names }: Connection, { order: { task } }: NewOrder): string {
  return names.queueFor(task.queueName, task.priority)
}

function index(connection: Connection, order: NewOrder, places: Places): void {
  const { names } = connection
  const { flow } = order.order
  const place = placeOf(order.id, queueOf(connection, order))
  const put = (key: string, score: number): void => {
    const members = places.get(key)
    if (members) members.push(score, place)
    else places.set(key, [score, place])
  }
  put(names.ids, 0)
  if (flow?.awaits) put(parkedKey(names), 0)
  if (!flow?.member) return
  const { all, open } = keysOf(names, flow.member.set)
  const ordinal = ordinalOf(flow.member.set, flow.key) ?? 0
  put(all, ordinal)
  put(open, ordinal)
}

interface Adding {
  readonly order: NewOrder
  readonly alias: string
  readonly now: number
}

function add(connection: Connection, transaction: Transaction, adding: Adding): RawRow {
  const { order, id } = adding.order
  const { task, argsKwargs, flow } = order
  const queue = queueOf(connection, adding.order)
  const shared = sharedValues(order, adding.alias)
  const isParked = flow?.awaits !== undefined
  const delay = task.runAfter ? Math.max(0, task.runAfter.getTime() - adding.now) : 0
  const priority = bullPriority(task.priority)
  const job = {
    id,
    name: task.name,
    data: dataOf(argsKwargs, shared.options),
    timestamp: adding.now,
    opts: {
      jobId: id,
      attempts: 1,
      ...(delay > 0 && !isParked && { delay }),
      ...(priority > 0 && { priority }),
    },
  }
  transaction.add(queue, job, isParked)
  const fields = fieldsOf(flow)
  if (fields.length > 0) transaction.steps.hset(connection.names.job(queue, id), ...fields)
  const call = { row_key: id, args_kwargs: argsKwargs, unique_key: flow?.key ?? null }
  return newRow(call, shared, utcText(new Date(adding.now)))
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
