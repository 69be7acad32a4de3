import { COLUMNS, type TableColumn } from '../../../entities/columns'
import { anyInstantOf, textOr, utcText } from '../../../entities/formats'
import type { Answer } from '../connections/statement'
import { type RawRow, rawNameOf } from '../row'

type Values = Record<string, unknown>

/**
 * Rows as the select lists of our statements mean them, texts and numbers, whatever the app's driver makes of texts and
 * numbers: a `typeCast` of mysql2, a parser of node-postgres, the safe integers of better-sqlite3.
 */
export function rowsOf<Row = RawRow>({ records }: Answer): Row[] {
  return (records.every(isPlain) ? records : records.map(plainRow)) as unknown as Row[]
}

function isPlain(row: Record<string, unknown>): boolean {
  for (const name in row) {
    const type = typeof row[name]
    if (type !== 'string' && type !== 'number' && row[name] !== null) return false
  }
  return true
}

/** Values of a row as texts and numbers, whatever they were made of. */
function plainRow(row: Values): Values {
  // Arguments are an object and worker ids a list: if those come as such, all JSON was parsed, and a text is one within JSON.
  const isParsed = isObject(row['args_kwargs']) || isObject(row['worker_ids'])
  const plain = { ...row }
  for (const { name, kind } of COLUMNS as readonly TableColumn[]) {
    const value = row[rawNameOf(name)]
    if (value === null || value === undefined) continue
    plain[rawNameOf(name)] = kind === 'json' && isParsed ? JSON.stringify(value) : READ[kind](value)
  }
  return plain
}

const READ: Readonly<Record<TableColumn['kind'], (value: unknown) => unknown>> = {
  id: text,
  word: text,
  text,
  int: Number,
  json: text,
  instant: (value) => {
    const given = textOr(value)
    const instant = typeof given === 'string' ? undefined : anyInstantOf(given)
    return instant ? utcText(instant) : text(given)
  },
}

function isObject(value: unknown): boolean {
  return typeof textOr(value) === 'object' && value !== null
}

function text(value: unknown): string {
  const given = textOr(value)
  return typeof given === 'object' ? JSON.stringify(given) : String(given as string | number)
}
