import type { DataSource } from 'typeorm'
import { COLUMNS, type TableColumn } from '../../entities/columns'
import type { Kind } from '../../entities/column-types'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, instantOf } from '../../entities/formats'
import { INSERTED_COLUMNS, type RawRow, rawNameOf, valuesOf } from './row'

type RawValue = string | number | null

/** What the repository reads where the database has this raw value. */
const READ: Readonly<Record<Kind, (value: RawValue) => unknown>> = {
  id: (value) => dashed(String(value)),
  word: (value) => value,
  text: (value) => value,
  int: (value) => Number(value ?? 0),
  instant: (value) => (value === null ? null : instantOf(String(value))),
  json: (value) => (value === null ? null : parsed(String(value))),
}

/** Sets one property of an entity from a raw row. */
type Copy = (raw: RawRow, entity: Record<string, unknown>) => void

const COPIES = COLUMNS.map(copyOf)
const NEW_ROW_COPIES = INSERTED_COLUMNS.map(copyOf)

/** The row as the entity that the repository would give; malformed arguments and worker ids read as empty. */
export function dbResultOf(raw: RawRow, dataSource: DataSource): DBTaskResult {
  const { args, kwargs, workerIds } = valuesOf(raw)
  const entity = dataSource.getRepository(DBTaskResult).create()
  return Object.assign(entity, copied(raw, COPIES), { argsKwargs: { args, kwargs }, workerIds })
}

/** The values of a new row, as TypeORM inserts them. */
export function newEntity(raw: RawRow): Partial<DBTaskResult> {
  return copied(raw, NEW_ROW_COPIES)
}

function copied(raw: RawRow, copies: readonly Copy[]): Partial<DBTaskResult> {
  const entity: Record<string, unknown> = {}
  for (const copy of copies) copy(raw, entity)
  return entity
}

function copyOf({ name, property, kind, fixed }: TableColumn): Copy {
  const rawName = rawNameOf(name)
  const read = READ[kind]
  const isText = (kind === 'word' || kind === 'text') && fixed?.nullable !== true
  const absent = isText ? '' : null
  return (raw, entity) => {
    entity[property] = read(raw[rawName] ?? absent)
  }
}

/** Null for what is no JSON, as in the entity's transformer. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}
