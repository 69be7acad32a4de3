import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { backends } from '../../../lib/backend-registry'
import { oneLine } from '../../../lib/errors/foreign-text'
import { briefName } from '../../../lib/errors/suggestions'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** Waiting rows that are read: in a long queue all of them would take seconds. */
const MOST_READ = 10_000
const MOST_NAMED = 10

/** A warning of rows that wait for backends which TASKS does not have, as after an alias was renamed: no worker of this app takes them. */
export async function otherBackends(dataSource: DataSource, table: Table): Promise<Problem[]> {
  // Of other databases it is not known whether they have LIMIT.
  if (!profileOf(table.type).growth) return []
  const rows = (await dataSource.query(
    `SELECT DISTINCT backend_name AS name FROM (SELECT backend_name FROM ${table.path} WHERE status = 'READY' LIMIT ${MOST_READ}) waiting`,
  )) as { name: string }[]
  const known = backends.all().map(({ alias }) => alias)
  const others = rows.map(({ name }) => name).filter((name) => !known.includes(name))
  if (others.length === 0) return []
  const named = others.toSorted().slice(0, MOST_NAMED)
  return [
    {
      level: 'warning',
      message: `Tasks wait in the table "${table.name}" for backends that TASKS does not have: ${named.map((name) => oneLine(briefName(name))).join(', ')}${others.length > MOST_NAMED ? ' and others' : ''}.`,
      hint: 'If no other app serves them, give TASKS a backend of that alias and run `npx tasks db_worker --backend <alias>`.',
    },
  ]
}
