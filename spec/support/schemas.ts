import type { DataSource } from 'typeorm'

/** Everything a database says of its tables, in its own words; TypeORM's list of migrations apart. */
export async function schemaOf(dataSource: DataSource): Promise<string[]> {
  const { type } = dataSource.options
  if (type === 'postgres') return await strings(dataSource, postgresSql)
  if (type === 'better-sqlite3')
    return (await strings(dataSource, sqliteSql)).map((sql) => sql.replaceAll(/\s+/g, ' '))
  const tables = await strings(
    dataSource,
    "SELECT TABLE_NAME AS said FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations' ORDER BY 1",
  )
  return await Promise.all(
    tables.map(async (table) => {
      const [row] = (await dataSource.query(`SHOW CREATE TABLE \`${table}\``)) as Record<
        string,
        string
      >[]
      return row!['Create Table']!
    }),
  )
}

const sqliteSql =
  "SELECT sql AS said FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT IN ('migrations', 'sqlite_sequence') ORDER BY name"

const postgresSql = `
  SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS said
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid AND relkind = 'r' AND relname <> 'migrations' AND relnamespace = 'public'::regnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum WHERE attnum > 0 AND NOT attisdropped
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'migrations'
  UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid IS DISTINCT FROM to_regclass('migrations')
  ORDER BY 1`

async function strings(dataSource: DataSource, sql: string): Promise<string[]> {
  const rows = (await dataSource.query(sql)) as { said: string }[]
  return rows.map(({ said }) => said)
}
