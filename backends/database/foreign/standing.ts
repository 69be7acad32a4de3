import type { DataSource } from 'typeorm'
import { InvalidTaskError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'
import type { AskClient, ClientStanding, ForeignClient } from '../profiles/clients'
import { wrongOnClient } from '../profiles/settings'
import { pathOf } from '../table'
import { kindOf } from './client'

/**
 * Looks at the client: it must reach the table of the DataSource, and its session must leave texts as they are.
 *
 * @returns the schema of the table, or its database where there are no schemas; undefined where that is not known.
 */
export async function homeOn(
  dataSource: DataSource,
  foreign: ForeignClient,
  ask: AskClient,
): Promise<string | undefined> {
  const { standingOf, rules = [] } = kindOf(dataSource)
  const its = await standingOf(ask, pathOf(dataSource))
  if (!isSame(its, known.get(dataSource) ?? expectedOf(dataSource)))
    await compareWithAnswer(dataSource, foreign, its)
  const wrong = its.settings && wrongOnClient(its.settings, rules)
  if (wrong)
    throw new InvalidTaskError(`managerOn: in the session of the client ${wrong[0]}`, wrong[1])
  return typeof its.home === 'string' ? its.home : undefined
}

/** A pooler may give a database another name in the options, and the table may be in a later schema of the search_path. */
async function compareWithAnswer(
  dataSource: DataSource,
  foreign: ForeignClient,
  its: ClientStanding,
): Promise<void> {
  const ask: AskClient = (sql, values) => dataSource.query(sql, values)
  const ours = await kindOf(dataSource).standingOf(ask, pathOf(dataSource))
  if (its.database === '') {
    const own: unknown = await dataSource.createQueryRunner().connect()
    if (own !== foreign.connection) throw elsewhere(its, ours)
    return
  }
  if (!isSame(its, ours)) throw elsewhere(its, ours)
  // Without a home the table is not there yet.
  if (typeof ours.home === 'string') known.set(dataSource, ours)
}

/** What a DataSource of which TypeORM knows less, or something else, has answered. */
const known = new WeakMap<DataSource, ClientStanding>()

/** What TypeORM knows since it connected. */
function expectedOf(dataSource: DataSource): ClientStanding {
  const { driver } = dataSource
  return { database: driver.database, home: kindOf(dataSource).homeOf?.(driver) }
}

function isSame(its: ClientStanding, ours: ClientStanding): boolean {
  return its.database === ours.database && (its.home ?? undefined) === (ours.home ?? undefined)
}

function elsewhere(its: ClientStanding, ours: ClientStanding): InvalidTaskError {
  if (its.database !== ours.database || its.database === '')
    return new InvalidTaskError(
      `managerOn: the client is connected to the database ${nameOf(its.database)}, the DataSource of TASKS to ${nameOf(ours.database)}.`,
      'Pass a client of the database in which the tasks table is.',
    )
  return new InvalidTaskError(
    `managerOn: the client finds the tasks table ${schemaOf(its)}, the DataSource of TASKS ${schemaOf(ours)}.`,
    'Give the session of the client the search_path of the DataSource: workers look only there.',
  )
}

function schemaOf({ home }: ClientStanding): string {
  return typeof home === 'string'
    ? `in the schema ${shown(home)}`
    : 'in no schema of its search_path'
}

function nameOf(database: unknown): string {
  return database === '' ? 'in its memory' : shown(database)
}
