import {
  And,
  type EntityManager,
  type FindOperator,
  In,
  LessThanOrEqual,
  MoreThanOrEqual,
  Raw,
} from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { dashed } from '../../../entities/formats'
import type { SlotRow } from '../../../lib/row/slot'
import { scheduleOf, slotIn, slotRange } from '../../keys'
import { profileOf } from '../profiles/profile-of'

/** The newest slot of a schedule that has a row. */
export async function newestSlot(
  manager: EntityManager,
  schedule: string,
): Promise<SlotRow | null> {
  const row = await newestRow(manager, schedule)
  const at = row && slotIn(schedule, row.uniqueKey)
  return at ? { at, status: row.status, finishedAt: row.finishedAt } : null
}

/**
 * Those of the rows that are not the newest of a schedule: by that one it is known which slots have had their turn, so that a
 * slot does not run again, and one that is missed is made up for, however little is kept.
 */
export async function withoutNewestSlots(
  manager: EntityManager,
  keys: readonly string[],
): Promise<readonly string[]> {
  if (keys.length === 0) return keys
  const ofSlots = await manager.find(DBTaskResult, {
    select: { id: true, uniqueKey: true },
    where: { id: In(keys.map(dashed)), uniqueKey: beginsWith(manager, 's') },
  })
  const schedules = new Set(ofSlots.flatMap(({ uniqueKey }) => scheduleOf(uniqueKey) ?? []))
  const newest = new Set<string>()
  for (const schedule of schedules) {
    const row = await newestRow(manager, schedule)
    if (row) newest.add(row.id)
  }
  return newest.size === 0 ? keys : keys.filter((key) => !newest.has(dashed(key)))
}

async function newestRow(
  manager: EntityManager,
  schedule: string,
): Promise<DBTaskResult | undefined> {
  const { from, upTo, prefix } = slotRange(schedule)
  // The range is what an index finds; the beginning is exact, whatever the column's collation takes to be in between.
  const uniqueKey = And(MoreThanOrEqual(from), LessThanOrEqual(upTo), beginsWith(manager, prefix))
  const [row] = await manager.find(DBTaskResult, {
    select: { id: true, uniqueKey: true, status: true, finishedAt: true },
    where: { uniqueKey },
    order: { uniqueKey: 'DESC' },
    take: 1,
  })
  return row
}

/** `text`: letters and digits. */
function beginsWith({ connection }: EntityManager, text: string): FindOperator<string> {
  const { exactly = (column: string) => column } = profileOf(connection.options.type)
  return Raw((column) => `${exactly(column)} LIKE :beginning`, { beginning: `${text}%` })
}
