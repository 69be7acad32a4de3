import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { INEXACT_KEYS } from '../enqueueing/keyed'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** Problems of the columns of text: what they cannot hold, and what their collation does not tell apart. */
export async function textProblems(dataSource: DataSource, table: Table): Promise<Problem[]> {
  return [...(await inexactKey(dataSource, table)), ...(await narrowColumns(dataSource, table))]
}

/** A conversion of the whole table gives the column of unique keys the collation of the others. */
async function inexactKey(dataSource: DataSource, { type, path, name }: Table): Promise<Problem[]> {
  const question = profileOf(type).inexactKey?.(path, name)
  if (!question) return []
  const [found] = (await dataSource.query(question.sql, question.values)) as { inexact: string }[]
  if (!found) return []
  return [
    {
      level: 'error',
      message: `The column unique_key of the table "${name}" has the collation ${found.inexact}: keys that differ only in capitals or accents are taken for one.`,
      hint: INEXACT_KEYS,
    },
  ]
}

/** Django's columns have the character set of their database. */
async function narrowColumns(
  dataSource: DataSource,
  { type, path, name }: Table,
): Promise<Problem[]> {
  const question = profileOf(type).narrowColumns?.(path, name)
  if (!question) return []
  const found = (await dataSource.query(question.sql, question.values)) as Narrow[]
  if (found.length === 0) return []
  const columns = found.map(({ narrow, charset }) => `${narrow} (${charset})`).join(', ')
  return [
    {
      level: 'warning',
      message: `Columns of the table "${name}" do not hold all characters: ${columns}. Others in errors and names of queues are refused; without a strict sql_mode the server loses them in silence.`,
      hint: 'Give them CHARACTER SET utf8mb4: `ALTER TABLE … MODIFY …`.',
    },
  ]
}

interface Narrow {
  readonly narrow: string
  readonly charset: string
}
