import { getMetadataArgsStorage, type ColumnOptions, type ColumnType } from 'typeorm'
import { fixedName } from './column-names'
import { beingBuilt, ourTargets } from './metadata-hook'
import { type Column, type ColumnProperty, COLUMNS } from './columns'
import { nativeType, type Kind, type Native } from './column-types'

/** Gives the entity the columns of COLUMNS. The compiler refuses a class that lacks a property of one of them. */
export function WithColumns<Row extends Record<ColumnProperty, unknown>>(
  target: new () => Row,
): void {
  ourTargets.add(target)
  for (const column of COLUMNS)
    getMetadataArgsStorage().columns.push({
      target,
      propertyName: column.property,
      mode: 'regular',
      options: columnOptions(column),
    })
}

const NATIVE_KEYS = [
  'type',
  'length',
  'precision',
  'charset',
  'collation',
  'nullable',
  'transformer',
] as const

/** For readers of the metadata outside of a build; a DataSource that we do not know fails by TypeORM's own check. */
const NOT_BUILDING =
  'unknown, because this DataSource belongs to another copy of typeorm than typeorm-tasks uses: give it to configureTasks before it is initialised, or install typeorm once' as ColumnType

/** A column's options, computed anew for each DataSource that is being built. `inForeign`: in a table that Django made, to which our columns were added. */
export function columnOptions(
  { name, kind, fixed, isOurs }: Column,
  inForeign = false,
): ColumnOptions {
  const given: ColumnOptions = { ...fixed, name }
  const options = { ...given }
  const foreign = inForeign && !isOurs
  for (const key of NATIVE_KEYS) {
    const get = (): unknown => native(kind, foreign)[key] ?? given[key]
    Object.defineProperty(options, key, { enumerable: true, get })
  }
  return Object.defineProperty(options, 'name', {
    enumerable: true,
    get: () => (beingBuilt() ? fixedName(name) : name),
  })
}

function native(kind: Kind, foreign: boolean): Native {
  const built = beingBuilt()
  return built ? nativeType(kind, built, foreign) : { type: NOT_BUILDING }
}
