import type { DataSource, EntityMetadata } from 'typeorm'
import { familyOf } from '../../entities/database-family'
import { escapedTable } from './names'
import type { Plan } from './names'

/** What TypeORM itself would do to our tables, plus the check constraint on MySQL, which TypeORM does not create there. */
export async function planManaged(own: DataSource, metadata: EntityMetadata): Promise<Plan> {
  const plan = await planByTypeorm(own)
  return familyOf(own.options.type) === 'mysql' ? await withCheck(plan, own, metadata) : plan
}

/** What TypeORM itself would do to all tables of the DataSource but those that are not managed. */
export async function planByTypeorm(own: DataSource): Promise<Plan> {
  const { upQueries, downQueries } = await own.driver.createSchemaBuilder().log()
  return {
    up: upQueries.map(({ query }) => query),
    down: downQueries.map(({ query }) => query).toReversed(),
  }
}

async function withCheck(
  { up, down }: Plan,
  own: DataSource,
  metadata: EntityMetadata,
): Promise<Plan> {
  const [check] = metadata.checks
  const name = check?.name ?? ''
  if (!check || !enforcesChecks(own) || (await isThere(name, own, metadata))) return { up, down }
  const table = escapedTable(own, metadata)
  const add = `ALTER TABLE ${table} ADD CONSTRAINT ${own.driver.escape(name)} CHECK (${check.expression})`
  const drop = `ALTER TABLE ${table} DROP CONSTRAINT ${own.driver.escape(name)}`
  const created = `${own.driver.escape(metadata.tableName)} (`
  const isNewTable = up.some(
    (statement) => statement.startsWith('CREATE TABLE') && statement.includes(created),
  )
  return { up: [...up, add], down: isNewTable ? down : [drop, ...down] }
}

async function isThere(
  name: string,
  own: DataSource,
  { tableName }: EntityMetadata,
): Promise<boolean> {
  const sql = `SELECT 1 FROM information_schema.TABLE_CONSTRAINTS
    WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ? AND CONSTRAINT_NAME = ? AND CONSTRAINT_TYPE = 'CHECK'`
  const rows = (await own.query(sql, [tableName, name])) as unknown[]
  return rows.length > 0
}

/** MySQL before 8.0.16 parses a check but does not store it, so every run would report it as missing. */
function enforcesChecks({ driver }: DataSource): boolean {
  const [major = 0, minor = 0, patch = 0] = (driver.version ?? '').split('.').map(Number)
  return major > 8 || (major === 8 && (minor > 0 || patch >= 16))
}
