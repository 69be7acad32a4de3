import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { dashed, hexOf } from '../../../entities/formats'
import { isUuid } from '../../ids'
import { retryRow } from '../browse'
import type { Session } from '../connections/session'
import type { Place } from '../place'
import type { RawRow } from '../row'
import type * as noneFailed from './none-failed'
import type * as settling from './settling'

/**
 * Makes a FAILED row READY, as `retryRow` does. A step of a flow runs once what it waits for has succeeded.
 *
 * @throws NotSupportedError also for a step that waits for a row that is FAILED; then nothing is changed.
 */
export async function retryStep(
  { dialect, dataSource, table }: Place,
  session: Session,
  alias: string,
  id: string,
): Promise<DBTaskResult> {
  const { manager } = session
  const step = await stepOf(session, { dialect, table }, id)
  if (!step) return retryRow({ manager, dataSource, table }, id)
  const { Settling, partOf } = require('./settling') as typeof settling
  const { assertNoneFailed } = require('./none-failed') as typeof noneFailed
  const { awaits } = partOf(step.options)
  const rows = dialect.flowRows(session)
  if (awaits?.when === 'successful') await assertNoneFailed(step, awaits, rows)
  const row = await retryRow({ manager, dataSource, table }, id)
  if (!awaits || awaits.when === 'failed') return row
  const settled = new Settling(rows, alias, table.hexIds)
  await settled.settle([{ set: awaits.set, [awaits.when]: [row.id] }])
  return (await manager.findOneBy(DBTaskResult, { id: row.id })) ?? row
}

/** The row, if it is FAILED and waits for others. */
async function stepOf(
  session: Session,
  { dialect, table }: Pick<Place, 'dialect' | 'table'>,
  id: string,
): Promise<RawRow | undefined> {
  if (!isUuid(dashed(id))) return undefined
  const row = await dialect.byId(session, table.hexIds ? hexOf(id) : dashed(id))
  return row?.status === 'FAILED' && row.options?.includes('"awaits"') ? row : undefined
}
