import type { DataSource } from 'typeorm'
import type { SpecDatabase } from './databases'

/** What a column of keys may be in, where an app or a server has chosen. */
export const COLLATIONS: Record<SpecDatabase['name'], readonly string[]> = {
  sqlite: ['BINARY'],
  postgres: ['"C"', '"und-x-icu"', 'blind'],
  mariadb: ['utf8mb4_bin', 'utf8mb4_general_ci', 'utf8mb4_unicode_ci'],
  mysql: ['utf8mb4_bin', 'utf8mb4_0900_ai_ci'],
}

/** Puts the keys of tasks in that collation. */
export async function collate(
  dataSource: DataSource,
  { name }: SpecDatabase,
  collation: string,
): Promise<void> {
  if (name === 'sqlite') return
  if (name !== 'postgres') {
    await dataSource.query(
      `ALTER TABLE db_task_result MODIFY unique_key varchar(128) CHARACTER SET utf8mb4 COLLATE ${collation}`,
    )
    return
  }
  if (collation === 'blind')
    await dataSource.query(
      `CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
    )
  await dataSource.query(
    `ALTER TABLE db_task_result ALTER unique_key TYPE varchar(128) COLLATE ${collation}`,
  )
}
