import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DataSource, MigrationExecutor } from 'typeorm'
import { DataSourceError } from '../../lib/errors/errors'
import { shown } from './folder'
import { opened, quietly } from './plan'

/** How migrations are applied, as the guides have it. */
export const APPLY = 'npx typeorm migration:run -d <data source file>'

export interface Written {
  readonly dataSource: DataSource
  /** The folder of new migrations. */
  readonly folder: string
  /** A migration that the DataSource does not list counts if its text has this name. */
  readonly tableName: string
}

/**
 * Refuses to write a migration while another one is not applied: the database does not show what that one changes, so the new
 * one would make the same table again. @throws DataSourceError
 */
export async function refuseWhilePending({
  dataSource,
  folder,
  tableName,
}: Written): Promise<void> {
  const { pending, applied } = dataSource.isInitialized
    ? await stateOf(dataSource)
    : await opened(
        quietly(dataSource.options, [], { migrations: dataSource.options.migrations ?? [] }),
        stateOf,
      )
  const known = new Set([...pending, ...applied])
  const unlisted = migrationsIn(folder, tableName).filter(({ name }) => !known.has(name))
  const names = [...pending, ...unlisted.map(({ name, file }) => `${name} (${shown(file)})`)]
  if (names.length === 0) return
  const [what, it] =
    names.length === 1 ? ['1 migration is', 'it'] : [`${names.length} migrations are`, 'them']
  throw new DataSourceError(
    `${what} not applied: ${names.join(', ')}.`,
    unlisted.length === 0
      ? `Apply ${it} first: ${APPLY}`
      : `Not all are among the migrations that the DataSource lists: compile the app, or add the missing ones to \`migrations\`. Then apply ${it}: ${APPLY}`,
  )
}

interface State {
  readonly pending: readonly string[]
  readonly applied: readonly string[]
}

/** Only reads: TypeORM makes its table of migrations when it applies one. */
async function stateOf(dataSource: DataSource): Promise<State> {
  const executor = new MigrationExecutor(dataSource)
  const [pending, applied] = [
    await executor.getPendingMigrations(),
    await executor.getExecutedMigrations(),
  ].map((migrations) => migrations.map(({ name }) => name))
  return { pending: pending ?? [], applied: applied ?? [] }
}

/** The migrations of a folder whose text has the table's name. */
export function migrationsIn(folder: string, tableName: string): { name: string; file: string }[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => /(?<!\.d)\.[cm]?[jt]s$/.test(name))
    .map((name) => join(folder, name))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8')
      const name =
        /\bname = ['"](\w+)['"]/.exec(text)?.[1] ?? /\bclass (\w*\d{13})\b/.exec(text)?.[1]
      return name !== undefined && text.includes(tableName) ? [{ name, file }] : []
    })
}
