import type { Session } from '../connections/session'
import type { Dialect } from '../dialects/dialect'
import { wholeOptions } from '../../keys'
import type { Table } from '../table'
import type * as settling from './settling'

interface Ended {
  readonly dialect: Dialect
  readonly session: Session
  readonly table: Table
  readonly alias: string
}

/** Settles what waits for a row that has ended without a worker. */
export async function settledAfter(
  key: string,
  { dialect, session, table, alias }: Ended,
): Promise<void> {
  const row = await dialect.byId(session, key)
  const options = row ? wholeOptions(row.options, row.unique_key) : null
  if (!options?.includes('"flow"')) return
  const { Settling, partOf } = require('./settling') as typeof settling
  const { member } = partOf(options)
  const settled = new Settling(dialect.flowRows(session), alias, table.hexIds)
  if (member) await settled.settle([member])
}
