import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { DatabaseError, TasksError } from '../../../lib/errors/errors'
import { growthProblems } from './growth'
import { serverProblems, versionProblem } from './server'
import { tableProblems } from './table'
import { zoneProblems } from './time-zone'
import { codeOf, patiently } from '../connections/retry-contention'
import type { Dialect } from '../dialects/dialect'
import type { Session } from '../connections/session'
import { type Table, tableOf } from '../table'
import { explained, messageOf, unreachable } from '../connections/database-errors'

/** What keeps tasks from working with a DataSource, or from working well; empty when all is as it should be. */
export async function checkDatabase(dataSource: () => Promise<DataSource>): Promise<Problem[]> {
  try {
    return await problemsOf(await dataSource())
  } catch (error) {
    return [problemOf(error)]
  }
}

/**
 * What a worker makes sure of before it starts: that it understands the server, and that the table has its columns.
 *
 * @throws DatabaseError or DataSourceError if not.
 */
export async function assertUsable(
  dataSource: DataSource,
  session: Session,
  dialect: Dialect,
  table: Table,
): Promise<void> {
  const tooOld = await versionProblem(dataSource, table)
  if (tooOld) throw new DatabaseError(tooOld.message, tooOld.mend)
  try {
    // Asks for every column of a row that cannot exist.
    await patiently(() => dialect.byId(session, table.hexIds ? '' : NIL))
  } catch (error) {
    throw explained(error, table.name)
  }
}

const NIL = '00000000-0000-0000-0000-000000000000'

async function problemsOf(dataSource: DataSource): Promise<Problem[]> {
  const table = await tableOf(dataSource)
  try {
    const server = await serverProblems(dataSource, table)
    if (server.some(({ level }) => level === 'error')) return server
    const problems = await tableProblems(dataSource)
    const growth = problems.some(({ level }) => level === 'error')
      ? []
      : await growthProblems(dataSource, table)
    return [...server, ...problems, ...growth, ...zoneProblems(dataSource)]
  } catch (error) {
    throw unreachable(error, dataSource.options.type)
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof TasksError)
    return {
      level: 'error',
      message: error.what,
      mend: error.mend,
    }
  if (codeOf(error) === '') throw error
  return {
    level: 'error',
    message: `The database refused to be looked at: ${messageOf(error)}`,
    mend: 'May the user of the DataSource read the table and its description?',
  }
}
