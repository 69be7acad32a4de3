import { EntitySchema, type DataSourceOptions, type EntitySchemaColumnOptions } from 'typeorm'
import { DBTaskResult, TABLE_NAME } from './db-task-result.entity'
import { constraintsOf } from './indexes'
import { columnOptions } from './metadata/column-options'
import { COLUMNS } from './columns'

export interface DBTaskResultSchemaOptions {
  /** The type of the DataSource. Not needed: the DataSource that lists the schema decides. */
  readonly type?: DataSourceOptions['type'] | undefined
  /** Default: `db_task_result`. */
  readonly tableName?: string | undefined
  /** false: the table belongs to another program (Django), so TypeORM never changes it. Default: true. */
  readonly managed?: boolean | undefined
}

/**
 * The entity for a table of another name, or for one that Django made. List it in `entities` instead of `DBTaskResult`;
 * `getRepository(DBTaskResult)` then works on that table.
 */
export function dbTaskResultSchema({
  tableName = TABLE_NAME,
  managed = true,
}: DBTaskResultSchemaOptions = {}): EntitySchema<DBTaskResult> {
  const { indexes, check } = constraintsOf(tableName)
  return new EntitySchema<DBTaskResult>({
    name: 'DBTaskResult',
    target: DBTaskResult,
    tableName,
    synchronize: managed,
    columns: Object.fromEntries(
      COLUMNS.map((column) => [
        column.property,
        columnOptions(column, !managed && !column.isOurs) as EntitySchemaColumnOptions,
      ]),
    ),
    indices: [...indexes],
    checks: [check],
  })
}
