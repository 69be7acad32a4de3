/** A statement ready for a driver. */
export interface Statement {
  readonly sql: string
  readonly parameters: unknown[]
}

/** A list that travels as one parameter, where the driver has arrays. */
export interface Column {
  readonly column: readonly (string | number | null)[]
}

export type Values = Readonly<Record<string, string | number | null | readonly string[] | Column>>

/** How a driver marks parameters: `$1` or `?`. */
export type Placeholder = 'dollar' | 'question'

/** A text with its marks in place, and whose values they stand for. */
interface Plan {
  readonly sql: string
  readonly names: readonly string[]
}

// Neither a cast (`::uuid`) nor a time's format (`HH24:MI`) is a parameter.
const NAMED = /(?<![:\w]):(\w+)/g
/** Statements are few; only lists of queues of many lengths could make many. */
const MOST_PLANS = 500

/** By their texts: to make one key of text and lengths would cost as much as all else. */
const plans = new Map<string, Map<string, Plan>>()

/**
 * Puts values into a statement with `:named` parameters, always as parameters, never as text.
 * A list becomes `?, ?, …`. Ours and not TypeORM's, which would also rewrite names inside quotes.
 */
export function bind(text: string, values: Values, placeholder: Placeholder): Statement {
  const { sql, names } = planOf(text, values, placeholder)
  const parameters: unknown[] = []
  for (const name of names) {
    const value = values[name]
    if (isList(value)) parameters.push(...value)
    else parameters.push(isColumn(value) ? value.column : value)
  }
  return { sql, parameters }
}

function planOf(text: string, values: Values, placeholder: Placeholder): Plan {
  const ofText = plans.get(text) ?? new Map<string, Plan>()
  const key = placeholder + lengthsOf(values)
  const known = ofText.get(key)
  if (known) return known
  if (plans.size >= MOST_PLANS || ofText.size >= MOST_PLANS) plans.clear()
  const plan = planned(text, values, placeholder)
  plans.set(text, ofText.set(key, plan))
  return plan
}

function planned(text: string, values: Values, placeholder: Placeholder): Plan {
  const names: string[] = []
  let marks = 0
  const mark = (): string => (marks++, placeholder === 'dollar' ? `$${marks}` : '?')
  const sql = text.replace(NAMED, (_, name: string) => {
    const value = values[name]
    if (value === undefined)
      throw new TypeError(`The statement asks for :${name}, which it was not given.`)
    names.push(name)
    return isList(value) ? value.map(mark).join(', ') : mark()
  })
  return { sql, names }
}

function lengthsOf(values: Values): string {
  let lengths = ''
  for (const name in values) {
    const value = values[name]
    if (isList(value)) lengths += `${name}${value.length},`
  }
  return lengths
}

function isList(value: Values[string] | undefined): value is readonly string[] {
  return Array.isArray(value)
}

function isColumn(value: Values[string] | undefined): value is Column {
  return typeof value === 'object' && value !== null && 'column' in value
}
export interface Answer {
  readonly records: Record<string, unknown>[]
  readonly affected: number
}
/** Runs a statement by a driver itself. */
export type Ask = (statement: Statement) => Answer | Promise<Answer>
