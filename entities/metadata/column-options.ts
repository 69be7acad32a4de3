import { getMetadataArgsStorage, type ColumnOptions, type ColumnType } from 'typeorm'
import { fixedName } from './column-names'
import { nativeType, type Kind, type Native } from './column-types'
import { beingBuilt, ourTargets } from './metadata-hook'

/** What makes a column of one of our tables. */
export interface Column {
  readonly name: string
  /** The property of the entity. */
  readonly property: string
  readonly kind: Kind
  /** Fixed options of TypeORM's column; what depends on the database is in column-types. */
  readonly fixed?: {
    readonly primary?: boolean
    readonly length?: number
    readonly nullable?: boolean
    readonly default?: number
  }
}

/** Gives an entity these columns. The compiler refuses a class that lacks a property of one of them. */
export function WithColumns<Property extends string>(
  columns: readonly (Column & { readonly property: Property })[],
) {
  return <Row extends Record<Property, unknown>>(target: new () => Row): void => {
    ourTargets.add(target)
    for (const column of columns)
      getMetadataArgsStorage().columns.push({
        target,
        propertyName: column.property,
        mode: 'regular',
        options: columnOptions(column),
      })
  }
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

/** A column's options, computed anew for each DataSource that is being built. `foreign`: Django made the column. */
export function columnOptions({ name, kind, fixed }: Column, foreign = false): ColumnOptions {
  const given: ColumnOptions = { ...fixed, name }
  const options = { ...given }
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
