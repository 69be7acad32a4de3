import { closingOf, placesOf, standsAt, textAt, type Token } from './tokens'

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

/** Whether one of the names stands there, other than as the name of a property. */
export function has({ tokens }: Source, ...names: readonly string[]): boolean {
  return tokens.some(
    ({ kind, text }, at) => kind === 'name' && names.includes(text) && !isKey(tokens, at),
  )
}

function isKey(tokens: readonly Token[], at: number): boolean {
  return textAt(tokens, at + 1) === ':' && ['{', ','].includes(textAt(tokens, at - 1))
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
export function afterImports(source: Source, limit = source.tokens.length): number | undefined {
  const { tokens } = source
  const last = tokens.findLastIndex(
    (_, at) => isImport(tokens, at) || (at < limit && isRequire(tokens, at)),
  )
  const end = last < 0 ? undefined : importEnd(tokens, last)
  return end === undefined || !endsStatement(source, end) ? undefined : lineAfter(source, end)
}

/** The end of the line that the token ends on; undefined if more stands on it than a semicolon or a comment that ends there. */
function lineAfter({ text, tokens }: Source, at: number): number | undefined {
  const from = tokens[at]?.end ?? 0
  const rest = /.*?(?=\r?\n|$)/.exec(text.slice(from))?.[0] ?? ''
  const end = from + rest.length
  const hasMore = tokens.some(
    ({ start, text: sign }) => start >= from && start < end && sign !== ';',
  )
  const isInComment = rest.lastIndexOf('/*') > rest.lastIndexOf('*/')
  return hasMore || isInComment ? undefined : end
}

/** The last token of an import or a `require(…)`; undefined for a form that is not plain. */
function importEnd(tokens: readonly Token[], at: number): number | undefined {
  if (!isImport(tokens, at)) return closingOf(tokens, at + 1)
  const from = tokens.findIndex(
    ({ kind, text, depth }, n) => n > at && depth === 0 && (kind === 'text' || text === '='),
  )
  if (textAt(tokens, from) === '=') return undefined
  const hasAttributes = ['with', 'assert'].includes(textAt(tokens, from + 1))
  return hasAttributes && textAt(tokens, from + 2) === '{' ? closingOf(tokens, from + 2) : from
}

/** Words that go on with what stands on the line before. */
const GOES_ON = ['as', 'in', 'instanceof', 'satisfies', 'with']

/** Whether the statement ends with that token: nothing goes on with it, on that line or on the next one. */
export function endsStatement({ text, tokens }: Source, at: number): boolean {
  const [token, following] = [tokens[at], tokens[at + 1]]
  if (token === undefined || following === undefined) return token !== undefined
  if (following.text === ';') return true
  if (!text.slice(token.end, following.start).includes('\n')) return false
  if (following.kind === 'name') return !GOES_ON.includes(following.text)
  return following.kind === 'sign'
    ? ['{', '}', '@'].includes(following.text)
    : !following.text.startsWith('`')
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
