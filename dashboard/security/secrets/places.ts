import type { Span } from './spans'

/** A secret that a text has in a form that tells it. */
export interface Place extends Span {
  /** It is surely a value: texts that quote it are to be found. Of `wrong token: try again` nobody knows. */
  readonly isSure: boolean
}

/** In characters. */
const LONGEST_ADDRESS = 4_000
const LONGEST_NAME = 64
/** Quotes, blanks and backslashes between a name, its sign and its value. */
const MOST_BETWEEN = 12
/** The user of an address is a name, or a token in its place, if it has so many characters. */
const LONG_USER = 20

const END_OF_ADDRESS = /[\s"<>`]/g
const END_OF_VALUE = /[\s&,;"'<>)\]}\\]/g
const END_OF_LINE = /[\r\n]/g
/** Their values have blanks. */
const HEADERS = /authori[sz]ation|cookie/i
/** `TokenExpiredError: jwt expired` names no token. */
const ERRORS = /(error|exception|warning)$/i
const BEARER = /\bbearer\s{1,3}([\w.~+/=-]{6,})/gi

/**
 * Secrets in a text of which nothing else is known: passwords of addresses, and values behind a name and a sign, as in
 * `"password":"…"`, `?token=…` and `Authorization: …`. In time that grows as the text does.
 */
export function placesIn(text: string, isSecret: (name: string) => boolean): Place[] {
  // Most texts are short, and have none of these.
  const found: Place[] = []
  if (text.includes('://')) inAddresses(text, found)
  if (text.includes(':') || text.includes('=')) inPairs(text, isSecret, found)
  if (/bearer/i.test(text)) bearers(text, found)
  return found
}

function bearers(text: string, found: Place[]): void {
  for (const { 0: all, 1: token = '', index } of text.matchAll(BEARER)) {
    const to = index + all.length
    found.push({ from: to - token.length, to, isSure: true })
  }
}

function inAddresses(text: string, found: Place[]): void {
  for (let sign = text.indexOf('://'); sign >= 0;) {
    const from = sign + 3
    sign = text.indexOf('://', from)
    if (!/[a-z0-9+.-]/i.test(text[from - 4] ?? '')) continue
    const most = Math.min(sign < 0 ? text.length : sign, from + LONGEST_ADDRESS)
    const address = text.slice(from, endOf(text.slice(from, most), END_OF_ADDRESS, 0) + from)
    const inside = passwordIn(address)
    if (inside) found.push({ from: from + inside.from, to: from + inside.to, isSure: true })
  }
}

/** Users and passwords may have the very signs that end them: what could be a password is taken for one. */
function passwordIn(address: string): Span | null {
  const at = endOfUser(address)
  if (at <= 0) return null
  const colon = address.slice(0, at).indexOf(':')
  if (address.slice(0, colon < 0 ? at : colon).includes('/')) return null
  if (colon < 0) return at >= LONG_USER ? { from: 0, to: at } : null
  const isPort = /^\d{1,5}\//.test(address.slice(colon + 1)) && address[at - 1] === '/'
  return isPort || at === colon + 1 ? null : { from: colon + 1, to: at }
}

/** The last @, but not one of a path such as `/@scope/name` if there is another. */
function endOfUser(address: string): number {
  let at = address.lastIndexOf('@')
  const last = at
  while (at > 0 && address[at - 1] === '/') at = address.lastIndexOf('@', at - 1)
  return at > 0 ? at : last
}

function inPairs(text: string, isSecret: (name: string) => boolean, found: Place[]): void {
  const signs = /[:=]/g
  for (let sign = signs.exec(text); sign; sign = signs.exec(text)) {
    const name = nameBefore(text, sign.index)
    if (name === '' || !isSecret(name) || ERRORS.test(name)) continue
    const place = valueAfter(text, sign.index, name)
    if (!place) continue
    found.push(place)
    signs.lastIndex = Math.max(place.to, signs.lastIndex)
  }
}

function nameBefore(text: string, sign: number): string {
  let to = sign
  while (to > sign - MOST_BETWEEN && isBetween(text.charCodeAt(to - 1))) to--
  let from = to
  while (from > 0 && to - from < LONGEST_NAME && isOfName(text.charCodeAt(from - 1))) from--
  return text.slice(from, to)
}

/** A blank, a quote, a backslash. */
function isBetween(code: number): boolean {
  return code === 32 || code === 34 || code === 39 || code === 92
}

/** A letter, a digit, a hyphen, an underscore, or no ASCII. */
function isOfName(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code > 127
  )
}

const OPENING = /^([=:]>?)\s{0,8}(\\*["'])?/

function valueAfter(text: string, sign: number, name: string): Place | null {
  if (isOfCode(text, sign)) return null
  const [opening = '', mark = '', quote] = OPENING.exec(text.slice(sign, sign + 40)) ?? []
  const from = sign + opening.length
  if (quote !== undefined) return { from, to: endOfQuoted(text, from, quote), isSure: true }
  // What is nested has no end that could be found with certainty.
  if (/[[{]/.test(text[from] ?? '')) return { from, to: text.length, isSure: false }
  const to = endOf(text, HEADERS.test(name) ? END_OF_LINE : END_OF_VALUE, from)
  return to > from ? { from, to, isSure: mark === '=' } : null
}

/** `==` and `::` are no signs of a value. */
function isOfCode(text: string, sign: number): boolean {
  return text[sign + 1] === text[sign] || text[sign - 1] === text[sign]
}

function endOfQuoted(text: string, from: number, quote: string): number {
  const mark = quote.slice(-1)
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    const before = backslashes(text, at, from)
    if (quote.length > 1 ? before < quote.length : before % 2 === 0)
      return at - (quote.length > 1 ? before : 0)
  }
  return text.length
}

function backslashes(text: string, at: number, from: number): number {
  let before = 0
  while (at - before > from && text[at - before - 1] === '\\') before++
  return before
}

function endOf(text: string, end: RegExp, from: number): number {
  end.lastIndex = from
  return end.exec(text)?.index ?? text.length
}
