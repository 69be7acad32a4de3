import { closingOf, placesOf, standsAt, type Token } from './tokens'

/** Text to put into a file at a place. */
export interface Insertion {
  readonly at: number
  readonly text: string
}

/** A file as text and tokens. */
export interface Source {
  readonly text: string
  readonly tokens: readonly Token[]
}

/** How a file is written, so that new lines look like its own. */
export interface Style {
  readonly quote: string
  readonly semicolon: '' | ';'
  readonly indent: string
  readonly newline: string
}

export function styleOf({ text, tokens }: Source): Style {
  const quoted = tokens.find(({ kind, text: token }) => kind === 'text' && /^['"]/.test(token))
  return {
    quote: quoted?.text.charAt(0) ?? "'",
    semicolon: tokens.some((token) => token.text === ';' && token.depth === 0) ? ';' : '',
    indent: /^(\t| {2,8})\S/m.exec(text)?.[1] ?? '  ',
    newline: text.includes('\r\n') ? '\r\n' : '\n',
  }
}

/** The text with all insertions in it; of those at one place in the order given. */
export function inserted(text: string, insertions: readonly Insertion[]): string {
  return insertions
    .toSorted((a, b) => a.at - b.at)
    .reduceRight((made, { at, text: more }) => made.slice(0, at) + more + made.slice(at), text)
}

export function has({ tokens }: Source, ...names: readonly string[]): boolean {
  return tokens.some(({ kind, text }) => kind === 'name' && names.includes(text))
}

/** The index of the value of a property of the object literal that opens there; undefined if it has no such property of its own. */
export function valueOf({ tokens }: Source, open: number, name: string): number | undefined {
  const close = closingOf(tokens, open)
  const depth = (tokens[open]?.depth ?? 0) + 1
  const found = placesOf(tokens, name, ':').filter(
    (at) =>
      at > open &&
      at < close &&
      tokens[at]?.depth === depth &&
      ['{', ','].includes(tokens[at - 1]?.text ?? ''),
  )
  return found.length === 1 && found[0] !== undefined ? found[0] + 2 : undefined
}

/** Whether something is spread into the object literal that opens there, after `from` of its tokens. */
export function hasSpread({ tokens }: Source, open: number, from = open): boolean {
  const close = closingOf(tokens, open)
  const depth = (tokens[open]?.depth ?? 0) + 1
  return placesOf(tokens, '...').some(
    (at) => at > from && at < close && tokens[at]?.depth === depth,
  )
}

/** Whether the object literal that opens there has the property in another form than `name: value`. */
export function mentions({ tokens }: Source, open: number, name: string): boolean {
  const close = closingOf(tokens, open)
  return tokens.some(({ text }, at) => at > open && at < close && text.includes(name))
}

/** Whether an array literal opens there with which nothing is done, such as `[…].filter(…)`. */
export function isArray({ tokens }: Source, open: number): boolean {
  if (tokens[open]?.text !== '[') return false
  return [',', '}'].includes(tokens[closingOf(tokens, open) + 1]?.text ?? '')
}

/** Puts an element at the end of the array literal, or a property at the end of the object literal, that opens there. */
export function element(source: Source, open: number, text: string): Insertion {
  return elements(source, open, [text])
}

/** The same with several. */
export function elements(source: Source, open: number, texts: readonly string[]): Insertion {
  const { tokens } = source
  const last = tokens[closingOf(tokens, open) - 1]
  const opening = tokens[open]
  if (last === undefined || last === opening)
    return { at: opening?.end ?? 0, text: texts.join(', ') }
  const indent = indentWithin(source, open)
  const blank = indent === undefined ? ' ' : `${styleOf(source).newline}${indent}`
  const laid = texts.map((text) =>
    indent === undefined ? text : text.replaceAll('\n', `\n${indent}`),
  )
  return last.text === ','
    ? { at: last.end, text: laid.map((text) => `${blank}${text},`).join('') }
    : { at: last.end, text: laid.map((text) => `,${blank}${text}`).join('') }
}

/** Puts a property at the beginning of the object literal that opens there. */
export function property(source: Source, open: number, text: string): Insertion {
  const [opening, first] = [source.tokens[open], source.tokens[open + 1]]
  if (opening === undefined || first === undefined) return { at: 0, text: '' }
  if (first.text === '}') return { at: opening.end, text: ` ${text} ` }
  const indent = indentWithin(source, open)
  const blank = indent === undefined ? ' ' : `${styleOf(source).newline}${indent}`
  return { at: first.start, text: `${text},${blank}` }
}

/** The blanks before each line of the literal that opens there; undefined if it stands on one line. */
function indentWithin({ text, tokens }: Source, open: number): string | undefined {
  const [opening, first] = [tokens[open], tokens[open + 1]]
  if (opening === undefined || first === undefined) return undefined
  const between = text.slice(opening.end, first.start)
  return between.includes('\n') ? indentAt({ text }, first.start) : undefined
}

/**
 * Where a line can follow the last import, or the last `const … = require(…)` that stands before the token at `limit`, which
 * needs what the line defines; undefined if there is no such place.
 */
export function afterImports({ text, tokens }: Source, limit = tokens.length): number | undefined {
  const last = tokens.findLastIndex(
    (_, at) => isImport(tokens, at) || (at < limit && isRequire(tokens, at)),
  )
  if (last < 0) return undefined
  const end = isImport(tokens, last)
    ? tokens.findIndex(({ kind, depth }, at) => at > last && kind === 'text' && depth === 0)
    : closingOf(tokens, last + 1)
  const token = tokens[end]
  if (token === undefined) return undefined
  const lineEnd = /\r?\n|$/.exec(text.slice(token.end))?.index ?? 0
  const at = token.end + lineEnd
  // Whatever else stands on that line must be its semicolon or a comment.
  return tokens.some(({ start, text: sign }) => start >= token.end && start < at && sign !== ';')
    ? undefined
    : at
}

function isImport(tokens: readonly Token[], at: number): boolean {
  const [token, following] = [tokens[at], tokens[at + 1]]
  return (
    token?.text === 'import' &&
    token.depth === 0 &&
    following?.text !== '(' &&
    following?.text !== '.'
  )
}

function isRequire(tokens: readonly Token[], at: number): boolean {
  return tokens[at]?.depth === 0 && standsAt(tokens, at, 'require', '(')
}

function indentAt({ text }: Pick<Source, 'text'>, at: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? ''
}
