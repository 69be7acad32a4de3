import type { EntityManager, QueryRunner } from 'typeorm'

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

/** The number of nested transactions, 1 for one without savepoints; TypeORM has it in a private field only. */
export function depthOf(runner: QueryRunner): number {
  return Number(Reflect.get(runner, 'transactionDepth'))
}
