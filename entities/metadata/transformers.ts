import type { ValueTransformer } from 'typeorm'
import type { Built } from './metadata-hook'
import { anyInstantOf, dashed, hexOf, instantOf, textOr, utcText } from '../formats'

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
export function jsonBinary(built: Built): ValueTransformer {
  built.asksDriver = true
  return {
    to: (value: unknown) => (isAbsent(value) ? value : new JsonValue(value)),
    from: (value: unknown) => (built.driver.parsedJson ? value : parsed(value)),
  }
}

/** JSON in a column of long text, which the app's driver may have parsed. */
export function longTextJson(built: Built): ValueTransformer {
  built.asksDriver = true
  return {
    to: written,
    from: (value: unknown) => (built.driver.parsedTexts ? value : parsed(value)),
  }
}

/** JSON in a column that Django made: MySQL's drivers may have parsed it already. */
export function foreignJson(built: Built): ValueTransformer {
  built.asksDriver = true
  return {
    to: written,
    from: (value: unknown) => (built.driver.parsedJson ? value : parsed(value)),
  }
}

/** Whatever the app's driver makes of an instant: TypeORM would hand it on as it is. */
export function zonedInstant({ dataSource }: Built): ValueTransformer {
  // The data API of Aurora is sent no objects of ours.
  const isSentByPg = dataSource.options.type !== 'aurora-postgres'
  return {
    to: (value: unknown) => (isSentByPg && value instanceof Date ? utcLiteral(value) : value),
    from: (value: unknown) => (isAbsent(value) ? value : anyInstantOf(value)),
  }
}

/** UTC in a datetime without a zone, independent of the connection's `timezone`. */
export function mysqlInstant(built: Built, zone: string): ValueTransformer {
  built.asksDriver = true
  return {
    to: (value: unknown) => (value instanceof Date ? utcLiteral(value) : value),
    from: (value: unknown) => {
      if (!(value instanceof Date)) return isAbsent(value) ? null : anyInstantOf(value)
      if (Number.isNaN(value.getTime())) return null
      // TypeORM reads a datetime that arrives as text in local time, and ignores `timezone`.
      return wallClockAsUtc(value, built.driver.textInstants ? 'local' : zone)
    },
  }
}

/** A number, also where the app's driver reads numbers as text or bigint. */
export const wholeNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => (isAbsent(value) ? value : Number(value)),
}

/** A text, also where the app's driver gives bytes. */
export const plainText: ValueTransformer = {
  to: (value: unknown) => value,
  from: textOr,
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

/** A value that says itself how it is sent, so that no driver converts it to the connection's zone. */
class UtcLiteral {
  constructor(readonly text: string) {}

  toPostgres(): string {
    return `${this.text}+00`
  }

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

/** The driver, or TypeORM, read the wall clock of UTC as that of `zone`. */
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
  const text = textOr(value)
  if (typeof text !== 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined
}
