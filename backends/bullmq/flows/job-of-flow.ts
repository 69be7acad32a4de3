import type { OrderedPart } from '../../../lib/order'
import { isPlain } from '../../../lib/row/flow-parts'
import { ordinalOf } from '../../keys'
import type { NewJob } from '../enqueueing/new-job'
import { FIELD } from '../job'
import type { Names } from '../names'
import { keysOf, parkedKey, placeOf } from './sets'

/** Members of ZSETs, each after its score, by the key of the ZSET. */
export type Places = Map<string, (string | number)[]>

/** Whether it waits for others. */
export function isParked({ order: { flow } }: NewJob): boolean {
  return flow?.awaits !== undefined
}

/** Where those that wait for others are found. */
export function addParked(names: Names, job: NewJob, places: Places): void {
  if (isParked(job)) put(places, parkedKey(names), 0, placeOf(job.id, job.queue))
}

/** Where it is found as a member of a set. */
export function addMember(names: Names, { id, queue, order }: NewJob, places: Places): void {
  const { flow } = order
  if (!flow?.member) return
  const { all, open } = keysOf(names, flow.member.set)
  const ordinal = ordinalOf(flow.member.set, flow.key) ?? 0
  put(places, all, ordinal, placeOf(id, queue))
  put(places, open, ordinal, placeOf(id, queue))
}

function put(places: Places, key: string, score: number, place: string): void {
  const members = places.get(key)
  if (members) members.push(score, place)
  else places.set(key, [score, place])
}

/** What BullMQ keeps with the job, for those that look at many of a flow: only what the key does not say, as in a table. */
export function fieldsOf(flow: OrderedPart | undefined): string[] {
  if (!flow?.member && !flow?.awaits) return []
  const { member, awaits, key } = flow
  const isToldByKey = member !== undefined && !awaits && isPlain(member)
  return [
    ...(key === null ? [] : [FIELD.member, key]),
    ...(isToldByKey ? [] : [FIELD.flow, JSON.stringify({ flow: { member, awaits } })]),
  ]
}
