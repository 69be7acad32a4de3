import type { DataSource, EntityMetadata, Table } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import { listedOf } from '../../../entities/optional'
import type { Problem } from '../../../lib/backend'
import { MIGRATE } from '../connections/database-errors'

type Index = EntityMetadata['indices'][number]

/** Where a table differs from its entity: columns, without which nothing works, and indexes. */
export async function tableProblems(dataSource: DataSource): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const entity of [DBTaskResult, ...listedOf(dataSource)])
    problems.push(...(await problemsOf(dataSource, dataSource.getMetadata(entity))))
  return problems
}

async function problemsOf(dataSource: DataSource, wanted: EntityMetadata): Promise<Problem[]> {
  const found = await inDatabase(dataSource, wanted)
  if (!found)
    return [
      { level: 'error', message: `The table "${wanted.tableName}" does not exist.`, hint: MIGRATE },
    ]
  const lacking = wanted.columns
    .map((column) => column.databaseName)
    .filter((name) => !found.findColumnByName(name))
  if (lacking.length > 0)
    return [
      {
        level: 'error',
        message: `The table "${wanted.tableName}" lacks ${columnList(lacking)}.`,
        hint: MIGRATE,
      },
    ]
  return wanted.indices
    .filter((index) => !hasIndex(found, index))
    .map((index) => indexProblem(wanted.tableName, index))
}

async function inDatabase(
  dataSource: DataSource,
  { tablePath }: EntityMetadata,
): Promise<Table | undefined> {
  const runner = dataSource.createQueryRunner()
  try {
    return await runner.getTable(tablePath)
  } finally {
    await runner.release()
  }
}

function columnList(names: readonly string[]): string {
  return `the column${names.length === 1 ? '' : 's'} ${names.map((name) => `"${name}"`).join(', ')}`
}

/** By name, or by its columns: a hand-written migration may use another name. */
function hasIndex(table: Table, wanted: Index): boolean {
  const columns = columnsOf(wanted).toSorted().join()
  const alike = (found: { columnNames: string[] }): boolean =>
    found.columnNames.toSorted().join() === columns
  if (wanted.isUnique && table.uniques.some(alike)) return true
  return table.indices.some(
    (found) => found.isUnique === wanted.isUnique && (found.name === wanted.name || alike(found)),
  )
}

function indexProblem(table: string, index: Index): Problem {
  const consequence = index.isUnique
    ? 'a uniqueKey keeps no second task out'
    : 'every claim reads and sorts all that wait'
  return {
    level: 'warning',
    message: `The table "${table}" lacks the ${index.isUnique ? 'unique ' : ''}index on ${columnsOf(index).join(', ')}: ${consequence}.`,
    hint: MIGRATE,
  }
}

function columnsOf(index: Index): string[] {
  return index.columns.map((column) => column.databaseName)
}
