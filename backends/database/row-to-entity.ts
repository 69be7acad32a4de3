import type { DataSource } from 'typeorm'
import { COLUMNS, type TableColumn } from '../../entities/columns'
import type { Kind } from '../../entities/metadata/column-types'
import { DBTaskResult } from '../../entities/db-task-result.entity'
import { dashed, hexOf, instantOf, utcText } from '../../entities/formats'
import { INSERTED_COLUMNS } from './new-row'
import { type RawRow, rawNameOf, valuesOf } from './row'

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

/** All columns of a row, whatever the class of the object. */
export type Columns = Pick<DBTaskResult, keyof DBTaskResult>

/** The row as the entity that the repository would give. */
export function dbResultOf(raw: RawRow, dataSource: DataSource): DBTaskResult {
  return Object.assign(dataSource.getRepository(DBTaskResult).create(), columnsOf(raw))
}

/** The row by the names of the entity's properties, in their order. Arguments that another program wrote in another form stay as they are. */
export function columnsOf(raw: RawRow): Columns {
  const { args, kwargs, workerIds } = valuesOf(raw)
  const columns = copied(raw, COPIES)
  return Object.assign(columns, {
    argsKwargs: columns.argsKwargs ?? { args, kwargs },
    workerIds: [...workerIds],
  }) as Columns
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

/** The id as the database spells it. */
export function keyOf({ id }: Columns, hexIds: boolean): string {
  return hexIds ? hexOf(id) : id
}

/** The raw value of an entity's, as a dialect's select list would give it. */
const TO_RAW: Readonly<Record<Exclude<Kind, 'id'>, (value: unknown) => unknown>> = {
  word: (value) => value,
  text: (value) => value,
  int: (value) => value,
  instant: (value) => (isInstant(value) ? utcText(value) : null),
  json: (value) => (value === null || value === undefined ? null : JSON.stringify(value)),
}

/** The entity as a raw row. */
export function rawOf(entity: Columns, hexIds: boolean): RawRow {
  const raw: Record<string, unknown> = {}
  for (const { name, property, kind } of COLUMNS)
    raw[rawNameOf(name)] = kind === 'id' ? keyOf(entity, hexIds) : TO_RAW[kind](entity[property])
  return raw as unknown as RawRow
}

/** What TypeORM could not read as an instant is none. */
function isInstant(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}
