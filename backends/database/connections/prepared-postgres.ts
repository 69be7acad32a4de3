import { createHash } from 'node:crypto'
import type { DataSource, QueryRunner } from 'typeorm'
import { codeOf } from './retry-contention'
import type { Ask } from './statement'
import type { Answer } from './statement'

/** What of a pool, or of a connection, of node-postgres is used here. */
interface Asked {
  query(
    statement: { text: string; values: unknown[]; name?: string },
    tell: (
      error: unknown,
      answer: { rows: Record<string, unknown>[]; rowCount: number | null },
    ) => void,
  ): void
}

/** A named statement is not there, is there already, or was planned for a table that has changed. */
const MISNAMED = /^(26000|42P05|0A000)$/

/** Pools behind which connections are not whose they seem, such as those of PgBouncer: names do not work there. */
const nameless = new WeakSet<DataSource>()
const names = new Map<string, string>()

/** Under a name, so that PostgreSQL parses and plans a statement once for each connection; TypeORM knows no names. */
export function onPostgres(
  dataSource: DataSource,
  runner: QueryRunner | undefined,
): Ask | undefined | Promise<Ask | undefined> {
  if (nameless.has(dataSource)) return undefined
  return runner
    ? runner.connect().then((connection: unknown) => askBy(dataSource, connection))
    : askBy(dataSource, poolOf(dataSource))
}

function askBy(dataSource: DataSource, asked: unknown): Ask | undefined {
  if (!isAsked(asked)) return undefined
  return ({ sql, parameters }) =>
    ask(asked, sql, parameters, nameOf(sql)).catch((error: unknown) => {
      if (!MISNAMED.test(codeOf(error))) throw error
      // It has not run: names are resolved first.
      nameless.add(dataSource)
      return ask(asked, sql, parameters)
    })
}

/** By a callback: what the driver's promise resolves to stays in memory until a full collection (measured: all of 13 MB, in place of nothing). */
function ask(asked: Asked, text: string, values: unknown[], name?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.query(name === undefined ? { text, values } : { text, values, name }, (error, answer) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as the driver made it
      if (error) reject(error)
      else resolve({ records: answer.rows, affected: answer.rowCount ?? 0 })
    })
  })
}

function poolOf({ driver }: DataSource): unknown {
  return 'master' in driver ? driver.master : undefined
}

function isAsked(asked: unknown): asked is Asked {
  return (
    typeof asked === 'object' &&
    asked !== null &&
    'query' in asked &&
    typeof asked.query === 'function'
  )
}

function nameOf(sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `tasks_${createHash('sha1').update(sql).digest('hex').slice(0, 16)}`
  names.set(sql, name)
  return name
}
