import type { DataSource } from 'typeorm'
import type { DatabaseName } from './servers/wanted'

// MySQL 9 gives a tree unless asked for the table, which is as MariaDB's.
const EXPLAIN: Record<DatabaseName, string> = {
  sqlite: 'EXPLAIN QUERY PLAN',
  postgres: 'EXPLAIN',
  mariadb: 'EXPLAIN',
  mysql: 'EXPLAIN FORMAT=TRADITIONAL',
}

/** The database's plan of a statement, a line for each step; those of MySQL and MariaDB as JSON. */
export async function explain(
  dataSource: DataSource,
  name: DatabaseName,
  sql: string,
  parameters: readonly unknown[],
): Promise<string[]> {
  return planLines(await dataSource.query(`${EXPLAIN[name]} ${sql}`, [...parameters]))
}

/** The lines of what EXPLAIN answered. Another answer throws: a pattern would find nothing wasteful in it. */
export function planLines(answer: unknown): string[] {
  return (answer as Record<string, string | undefined>[]).map((line) => {
    const text =
      line['QUERY PLAN'] ??
      line['detail'] ??
      ('select_type' in line ? JSON.stringify(line) : undefined)
    if (text === undefined)
      throw new Error(`EXPLAIN answered something else than a plan: ${JSON.stringify(line)}`)
    return text
  })
}
