import { getMetadataArgsStorage, type ColumnOptions, type ColumnType } from 'typeorm'
import { beingBuilt, ourTargets } from './metadata-hook'
import { nativeType, type Kind, type Native } from './column-types'

/** A column of the table: its name, what it holds, and how the database asked for it stores that. */
export function Stored(kind: Kind, name: string, fixed: ColumnOptions = {}): PropertyDecorator {
  return ({ constructor }, property) => {
    const column = { property: String(property), kind, fixed: { ...fixed, name } }
    storedColumns.push(column)
    ourTargets.add(constructor)
    getMetadataArgsStorage().columns.push({
      target: constructor,
      propertyName: column.property,
      mode: 'regular',
      options: columnOptions(column),
    })
  }
}

export interface StoredColumn {
  readonly property: string
  readonly kind: Kind
  readonly fixed: ColumnOptions
}

/** The columns of the table, in order. */
export const storedColumns: StoredColumn[] = []

/** A column's options, each answered anew for whichever DataSource is being built. `foreign`: in a table that Django made. */
export function columnOptions({ kind, fixed }: StoredColumn, foreign = false): ColumnOptions {
  const options = { ...fixed }
  for (const key of NATIVE_KEYS) {
    const get = (): unknown => native(kind, foreign)[key] ?? fixed[key]
    Object.defineProperty(options, key, { enumerable: true, get })
  }
  return options
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

function native(kind: Kind, foreign: boolean): Native {
  const built = beingBuilt()
  return built ? nativeType(kind, built, foreign) : { type: NOT_BUILDING }
}

/** Other readers of the metadata may look at it at any time; a DataSource that we do not know is told by TypeORM's own check. */
const NOT_BUILDING =
  'unknown, because this DataSource belongs to another copy of typeorm than typeorm-tasks uses' as ColumnType
