import type { EntityManager } from 'typeorm'

/** In an open transaction within a savepoint where there are any, since an error would end the transaction. */
export function guarded<T>(
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  const { queryRunner } = manager
  return queryRunner?.isTransactionActive &&
    queryRunner.connection.driver.transactionSupport === 'nested'
    ? manager.transaction(work)
    : work(manager)
}
