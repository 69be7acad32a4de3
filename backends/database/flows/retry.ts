import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { dashed } from '../../../entities/formats'
import { headline } from '../../../lib/errors/error-record'
import { NotSupportedError } from '../../../lib/errors/errors'
import { retryRow } from '../browse'
import type { Session } from '../connections/session'
import type { Place } from '../place'
import type * as settling from './settling'

/**
 * Makes a FAILED row READY, as `retryRow` does. A step of a flow runs once what it waits for has succeeded.
 *
 * @throws NotSupportedError also for a step that waits for a row that is FAILED: that one is to be retried.
 */
export async function retryStep(
  { dialect, dataSource, table }: Place,
  session: Session,
  alias: string,
  id: string,
): Promise<DBTaskResult> {
  const { manager } = session
  const row = await retryRow({ manager, dataSource, table }, id)
  if (row.options === null || !Object.hasOwn(row.options, 'flow')) return row
  const { Settling, partOf } = require('./settling') as typeof settling
  const { awaits } = partOf(JSON.stringify(row.options))
  if (!awaits || awaits.when === 'failed') return row
  const settled = new Settling(dialect.flowRows(session), alias, table.hexIds)
  await settled.settle([{ set: awaits.set, [awaits.when]: [row.id] }])
  const now = await manager.findOneBy(DBTaskResult, { id: row.id })
  if (now?.status !== 'FAILED') return now ?? row
  throw new NotSupportedError(
    `Task ${dashed(row.id)} (${row.taskPath}) cannot run.`,
    headline(now) ?? 'Retry what it waits for.',
  )
}
