/** Characters that hide, reorder or end what stands around them: of names that others chose, they are shown by their numbers. */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu
const UNSEEN_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** A name in one line. */
export function shown(text: string): string {
  return text.replace(UNSEEN, byNumber)
}

/** A text that has lines, such as a traceback. */
export function shownLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSEEN_BUT_LINES, byNumber)
}

/** The last part of a long name, which mostly tells it. */
export function briefly(text: string, most = 60): string {
  const whole = shown(text)
  return whole.length <= most ? whole : `…${whole.slice(1 - most)}`
}

function byNumber(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
