import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { TasksError } from '../../../lib/errors/errors'
import { withoutPasswords } from '../../../lib/errors/foreign-text'
import { log } from '../../../lib/events/logger'
import { djangoProblems } from './django'
import { growthProblems } from './growth'
import { otherBackends } from './other-backends'
import { assertServes, serverProblems } from './server'
import { tableProblems } from './table'
import { textProblems } from './texts'
import { zoneProblems } from './time-zone'
import { patiently, type Session } from '../connections/session'
import { Pauses } from '../queues/pauses'
import type { Dialect } from '../dialects/dialect'
import { type Table, tableOf } from '../table'
import {
  codeOf,
  explained,
  isContention,
  messageOf,
  unreachable,
} from '../connections/database-errors'

/** No row has this id. */
const NIL = '00000000-0000-0000-0000-000000000000'

/** Problems that keep tasks from working with a DataSource, or from working well; empty if there are none. */
export async function checkDatabase(dataSource: () => Promise<DataSource>): Promise<Problem[]> {
  try {
    const opened = await dataSource()
    return await patiently(() => problemsOf(opened))
  } catch (error) {
    return [problemOf(error)]
  }
}

/**
 * A worker's checks before it starts: the server's version and settings, and the columns of the tables.
 *
 * @throws DatabaseError or DataSourceError if not.
 */
export async function assertUsable(
  dataSource: DataSource,
  session: Session,
  dialect: Dialect,
  table: Table,
): Promise<void> {
  const encoding = await patiently(() => assertServes(dataSource))
  for (const { message, hint } of [...(encoding ? [encoding] : []), ...djangoProblems(dataSource)])
    log.warn(`${message} ${hint}`)
  try {
    // Selects every column of a row that cannot exist.
    await patiently(() => dialect.byId(session, table.hexIds ? '' : NIL))
  } catch (error) {
    throw explained(error, table.name)
  }
  await assertOptional(session, dialect, table)
}

/** Reads every column of the optional tables that are listed. */
async function assertOptional(
  session: Session,
  dialect: Dialect,
  { workers, queues }: Table,
): Promise<void> {
  if (queues) await new Pauses(dialect, queues, '').active(session)
  if (!workers) return
  try {
    await patiently(() => dialect.workerRecords(workers.path).ages(session))
  } catch (error) {
    throw explained(error, workers.name)
  }
}

async function problemsOf(dataSource: DataSource): Promise<Problem[]> {
  const table = await tableOf(dataSource)
  try {
    const server = await serverProblems(dataSource)
    if (server.some(({ level }) => level === 'error')) return server
    const problems = await tableProblems(dataSource)
    const growth = problems.some(({ level }) => level === 'error')
      ? []
      : [
          ...(await textProblems(dataSource, table)),
          ...(await growthProblems(dataSource, table)),
          ...(await otherBackends(dataSource, table)),
        ]
    return [
      ...server,
      ...problems,
      ...growth,
      ...zoneProblems(dataSource),
      ...djangoProblems(dataSource),
    ]
  } catch (error) {
    throw isContention(error) ? error : unreachable(error, dataSource.options.type)
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof TasksError)
    return {
      level: 'error',
      message: error.what,
      hint: error.hint,
    }
  if (codeOf(error) === '') throw error
  return {
    level: 'error',
    message: `The database refused to be looked at: ${withoutPasswords(messageOf(error))}`,
    hint: 'May the user of the DataSource read the table and its description?',
  }
}
