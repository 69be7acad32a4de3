/** Texts that are one SQL literal, whatever the session's sql_mode and character set: no quote, no backslash, ASCII only. */
const PLAIN = /^[ -&(-[\]-~]*$/

/** The characters of a literal of hex digits beside its digits: `_utf8mb4 X''`. */
const FRAME = 12

/**
 * A text for mysql2, which puts values into the statement by itself, and escapes quotes by backslashes: in a session whose
 * sql_mode has NO_BACKSLASH_ESCAPES the text would end at its first quote, and the rest of it would run as SQL; in one of
 * another character set it would be stored as other characters. Hex digits mean the same everywhere. Loggers of queries see the text.
 */
class HexLiteral {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Called by mysql2. */
  toSqlString(): string {
    return `_utf8mb4 X'${Buffer.from(this.#text).toString('hex')}'`
  }

  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

/** The value as mysql2 is to be given it. */
export function literalOf(value: unknown): unknown {
  return typeof value === 'string' && !PLAIN.test(value) ? new HexLiteral(value) : value
}

/** How many bytes of a statement the text takes. */
export function literalBytes(text: string): number {
  return PLAIN.test(text) ? text.length + 2 : 2 * Buffer.byteLength(text) + FRAME
}
