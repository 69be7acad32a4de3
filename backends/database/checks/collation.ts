import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { INEXACT_KEYS } from '../insert'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** A problem if unique keys that are not the same are equal to the column's collation, as a conversion of the table leaves it. */
export async function collationProblems(
  dataSource: DataSource,
  { type, path, name }: Table,
): Promise<Problem[]> {
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
