import type { ValueTransformer } from 'typeorm'
import type { Built } from './metadata-hook'
import { dashed, hexOf, instantOf, utcText } from './formats'

/** Dashed in the API, 32 hex digits in the database. */
export const hexId: ValueTransformer = {
  to: (value: unknown) => (typeof value === 'string' ? hexOf(value) : value),
  from: (value: unknown) => (typeof value === 'string' ? dashed(value) : value),
}

/** A Date in the API, Django's UTC text in SQLite. */
export const textInstant: ValueTransformer = {
  to: (value: unknown) => (value instanceof Date ? utcText(value) : value),
  from: (value: unknown) => (typeof value === 'string' ? instantOf(value) : null),
}

/** JSON in a column of text. Text that is not JSON reads as null, so that one bad row does not keep the others from being read. */
export const jsonText: ValueTransformer = {
  to: written,
  from: parsed,
}

/** jsonb: node-postgres sends a bare string without quotes, so the value carries its own JSON text. */
export const jsonBinary: ValueTransformer = {
  to: (value: unknown) => (isAbsent(value) ? value : new JsonValue(value)),
  from: (value: unknown) => value,
}

/** JSON in a table that Django made: MySQL's drivers may have parsed it already. */
export function foreignJson(built: Built): ValueTransformer {
  built.asksJson = true
  return { to: written, from: (value: unknown) => (built.parsesJson ? value : parsed(value)) }
}

/** UTC in a datetime without a zone, independent of the connection's `timezone`. */
export function mysqlInstant(zone: string): ValueTransformer {
  return {
    to: (value: unknown) => (value instanceof Date ? utcLiteral(value) : value),
    from: (value: unknown) =>
      value instanceof Date && !Number.isNaN(value.getTime()) ? wallClockAsUtc(value, zone) : null,
  }
}

/** Oracle keeps '' as NULL. */
export const emptyText: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => value ?? '',
}

class JsonValue {
  constructor(private readonly value: unknown) {}

  /** How TypeORM's jsonb column is written. */
  toJSON(): unknown {
    return this.value
  }

  /** How node-postgres sends a parameter, as in a find. */
  toPostgres(): string {
    return JSON.stringify(this.value)
  }
}

/** A value with its own SQL, so that mysql2 does not convert it to the connection's zone. */
class UtcLiteral {
  constructor(readonly text: string) {}

  toSqlString(): string {
    return `'${this.text}'`
  }
}

let latest = new UtcLiteral('')

/** The same object for the same instant twice in a row: to find what changed, TypeORM compares what it loaded by identity. */
function utcLiteral(date: Date): UtcLiteral {
  const text = utcText(date)
  if (latest.text !== text) latest = new UtcLiteral(text)
  return latest
}

/** mysql2 read the wall clock of UTC as that of `zone`. */
function wallClockAsUtc(read: Date, zone: string): Date {
  const offset = /^([+-])(\d\d):(\d\d)$/.exec(zone)
  if (offset)
    return new Date(
      read.getTime() +
        (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3])) * 60_000,
    )
  if (zone !== 'local') return read
  return new Date(
    Date.UTC(
      read.getFullYear(),
      read.getMonth(),
      read.getDate(),
      read.getHours(),
      read.getMinutes(),
      read.getSeconds(),
      read.getMilliseconds(),
    ),
  )
}

function written(value: unknown): unknown {
  return isAbsent(value) ? value : JSON.stringify(value)
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return null
  }
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined
}
