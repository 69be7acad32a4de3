import type { DataSource } from 'typeorm'
import { type Family, familyOf } from '../../../entities/database-family'
import { instantOf } from '../../../entities/formats'
import type { Problem } from '../../../lib/backend'
import type { Table } from '../table'

/** Version, encoding and clock of the server. */
export async function serverProblems(dataSource: DataSource, table: Table): Promise<Problem[]> {
  const asked = Date.now()
  const server = await lookAt(dataSource, familyOf(table.type))
  if (!server) return []
  const answered = Date.now()
  return [
    tooOld(productOf(table), server.version),
    encodingProblem(server.encoding),
    clockProblem(instantOf(server.now), asked, answered),
  ].filter((problem) => problem !== undefined)
}

/** The error of a server that does not know statements of ours. */
export async function versionProblem(
  dataSource: DataSource,
  table: Table,
): Promise<Problem | undefined> {
  const server = await lookAt(dataSource, familyOf(table.type))
  return server && tooOld(productOf(table), server.version)
}

type Product = keyof typeof OLDEST

/** The first versions with all that the statements use: SKIP LOCKED, JSON as rows, RETURNING. */
const OLDEST = { PostgreSQL: '13', MySQL: '8.0.4', MariaDB: '10.6', SQLite: '3.35' } as const

/** The error for a version before the oldest that serves. */
export function tooOld(product: Product, version: string): Problem | undefined {
  const oldest = OLDEST[product]
  if (!isBefore(version, oldest)) return undefined
  return {
    level: 'error',
    message: `${product} ${version} is too old: tasks need ${product} ${oldest} or later.`,
    mend: `Move the database to ${product} ${oldest} or later.`,
  }
}

interface Server {
  readonly version: string
  readonly encoding: string
  readonly now: string
}

const QUESTIONS: Readonly<Partial<Record<Family, string>>> = {
  postgres: `SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
    to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS now`,
  mysql: `SELECT VERSION() AS version, 'UTF8' AS encoding, DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f') AS now`,
  sqlite: `SELECT sqlite_version() AS version, 'UTF8' AS encoding, strftime('%Y-%m-%d %H:%M:%f', 'now') AS now`,
}

/** One question, so that the clock's answer is not old. Servers of other families are not asked. */
async function lookAt(dataSource: DataSource, family: Family): Promise<Server | undefined> {
  const question = QUESTIONS[family]
  if (question === undefined) return undefined
  const [server] = (await dataSource.query(question)) as Server[]
  return server
}

function productOf({ type, isMariaDb }: Table): Product {
  const family = familyOf(type)
  if (family === 'mysql') return isMariaDb ? 'MariaDB' : 'MySQL'
  return family === 'postgres' ? 'PostgreSQL' : 'SQLite'
}

function isBefore(version: string, oldest: string): boolean {
  const [found, wanted] = [numbersOf(version), numbersOf(oldest)]
  const place = wanted.findIndex((number, index) => number !== (found[index] ?? 0))
  return place >= 0 && (found[place] ?? 0) < (wanted[place] ?? 0)
}

/** `8.0.36-0ubuntu0.22.04.1` is 8, 0, 36. */
function numbersOf(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number)
}

function encodingProblem(encoding: string): Problem | undefined {
  if (/^utf-?8$/i.test(encoding)) return undefined
  return {
    level: 'error',
    message: `The database's encoding is ${encoding}, which cannot hold every argument and error text.`,
    mend: "Make a database with ENCODING 'UTF8' and move the data.",
  }
}

const TOLERANCE = 5_000

function clockProblem(now: Date | null, asked: number, answered: number): Problem | undefined {
  if (now === null) return undefined
  const ahead = now.getTime() > answered
  const apart = ahead ? now.getTime() - answered : asked - now.getTime()
  if (apart <= TOLERANCE) return undefined
  return {
    level: 'warning',
    message: `The database's clock is ${Math.round(apart / 1000)} s ${ahead ? 'ahead of' : 'behind'} this machine's.`,
    mend: 'Set both by NTP: a runAfter that is counted from this clock is held against that of the database.',
  }
}
