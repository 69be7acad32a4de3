/** A word, a text in quotes, or a sign of a JavaScript, TypeScript or JSON file; comments and blanks are none. */
export interface Token {
  readonly kind: 'name' | 'text' | 'sign'
  readonly text: string
  readonly start: number
  readonly end: number
  /** How many brackets are open before it. A closing one stands as deep as its opening one. */
  readonly depth: number
}

const BLANK = /[\s\uFEFF]+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const NAME = /[\p{ID_Start}$_#\d][\p{ID_Continue}$]*/uy
const TEXT = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y
const REGULAR = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])+\/\w*/y
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']', '(': ')' }
/** After these words a slash begins a regular expression. */
const BEFORE_VALUE = ['return', 'typeof', 'case', 'in', 'of', 'delete', 'void', 'throw', 'await']

/**
 * The tokens of a file; undefined if it is not clear what they are. Enough to find a plain form in it, without a compiler, which
 * an app in JavaScript does not have.
 */
export function tokensOf(source: string): Token[] | undefined {
  const tokens: Token[] = []
  /** The brackets that must close what is open, innermost last. */
  const open: string[] = []
  for (let at = afterBlank(source, 0); at < source.length;) {
    const [kind, tokenEnd] = next(source, at, tokens.at(-1))
    if (tokenEnd === undefined) return undefined
    const text = source.slice(at, tokenEnd)
    if (isClosing(text) && open.pop() !== text) return undefined
    tokens.push({ kind, text, start: at, end: tokenEnd, depth: open.length })
    const closing = CLOSING[text]
    if (closing !== undefined) open.push(closing)
    at = afterBlank(source, tokenEnd)
  }
  return open.length === 0 ? tokens : undefined
}

/** The index of the bracket that closes the one at `open`. */
export function closingOf(tokens: readonly Token[], open: number): number {
  const depth = tokens[open]?.depth
  return tokens.findIndex(
    (token, at) => at > open && token.depth === depth && isClosing(token.text),
  )
}

/** The token there as a text; empty where there is none. */
export function textAt(tokens: readonly Token[], at: number): string {
  return tokens[at]?.text ?? ''
}

/** Whether these tokens stand there, one after the other. */
export function standsAt(
  tokens: readonly Token[],
  at: number,
  ...texts: readonly string[]
): boolean {
  return texts.every((text, n) => tokens[at + n]?.text === text)
}

/** The indexes at which these tokens stand, one after the other. */
export function placesOf(tokens: readonly Token[], ...texts: readonly string[]): number[] {
  return tokens.flatMap((_, at) => (standsAt(tokens, at, ...texts) ? [at] : []))
}

function next(
  source: string,
  at: number,
  before: Token | undefined,
): [kind: Token['kind'], end: number | undefined] {
  const sign = source.charAt(at)
  if (sign === '`') return ['text', templateEnd(source, at)]
  if (sign === '"' || sign === "'") return ['text', end(TEXT, source, at)]
  const name = end(NAME, source, at)
  if (name !== undefined) return ['name', name]
  if (sign === '/' && mayBeginValue(before)) return ['text', end(REGULAR, source, at)]
  return ['sign', at + (source.startsWith('...', at) ? 3 : 1)]
}

/** The end of a template; what stands in its `${…}` may hold templates again. */
function templateEnd(source: string, start: number): number | undefined {
  for (let at = start + 1; at < source.length;) {
    const sign = source.charAt(at)
    if (sign === '`') return at + 1
    if (sign === '\\') at += 2
    else if (source.startsWith('${', at)) {
      const inner = insertionEnd(source, at + 2)
      if (inner === undefined) return undefined
      at = inner
    } else at += 1
  }
  return undefined
}

function insertionEnd(source: string, start: number): number | undefined {
  let open = 1
  for (let at = afterBlank(source, start); at < source.length;) {
    const [, tokenEnd] = next(source, at, undefined)
    if (tokenEnd === undefined) return undefined
    const text = source.slice(at, tokenEnd)
    open += text === '{' ? 1 : text === '}' ? -1 : 0
    if (open === 0) return tokenEnd
    at = afterBlank(source, tokenEnd)
  }
  return undefined
}

function mayBeginValue(before: Token | undefined): boolean {
  if (before === undefined) return true
  if (before.kind === 'name') return BEFORE_VALUE.includes(before.text)
  return before.kind === 'sign' && !isClosing(before.text)
}

function isClosing(text: string): boolean {
  return text === '}' || text === ']' || text === ')'
}

function end(pattern: RegExp, source: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(source) ? pattern.lastIndex : undefined
}

/** Past blanks and comments. */
function afterBlank(source: string, start: number): number {
  let at = start
  for (let found = end(BLANK, source, at); found !== undefined; found = end(BLANK, source, at))
    at = found
  return at
}
