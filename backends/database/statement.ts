/** A statement ready for a driver. */
export interface Statement {
  readonly sql: string
  readonly parameters: unknown[]
}

export type Values = Readonly<Record<string, string | number | null | readonly string[]>>

/** How a driver marks parameters: `$1` or `?`. */
export type Placeholder = 'dollar' | 'question'

// Neither a cast (`::uuid`) nor a time's format (`HH24:MI`) is a parameter.
const NAMED = /(?<![:\w]):(\w+)/g

/**
 * Puts values into a statement with `:named` parameters, always as parameters, never as text.
 * A list becomes `?, ?, …`. Ours and not TypeORM's, which would also rewrite names inside quotes.
 */
export function bind(text: string, values: Values, placeholder: Placeholder): Statement {
  const parameters: unknown[] = []
  const mark = (value: unknown): string => (parameters.push(value), placeholder === 'dollar' ? `$${parameters.length}` : '?')
  const sql = text.replace(NAMED, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new TypeError(`The statement asks for :${name}, which it was not given.`)
    return Array.isArray(value) ? value.map(mark).join(', ') : mark(value)
  })
  return { sql, parameters }
}
