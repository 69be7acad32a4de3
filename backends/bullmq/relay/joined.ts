import type { EntityManager } from 'typeorm'
import { managerFor } from '../../database/ambient-transaction'
import { openOne } from '../../database/connections/same-database'
import { type DataSourceOption, dataSourceOf } from '../../database/place'

/**
 * Whether an enqueue is to become a part of a transaction of the app's database: that of its manager (`explicit`), or one that
 * the caller is in. A database that is not open, or cannot be, has none.
 *
 * @throws InvalidTaskError if the transaction is over.
 */
export async function isJoining(
  option: DataSourceOption,
  alias: string,
  explicit: EntityManager | undefined,
): Promise<boolean> {
  // On a connection of its own, which may be in a transaction that TypeORM does not know.
  if (explicit) return explicit.queryRunner !== undefined
  const found = await dataSourceOf(option, alias).catch(() => undefined)
  const open = found && openOne(found)
  if (!open?.isInitialized) return false
  return managerFor(open, undefined).queryRunner?.isTransactionActive ?? false
}
