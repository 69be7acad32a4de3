/** Characters that hide, reorder or end what stands around them: of names that others chose, they are shown by their numbers. */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g
const UNSEEN_BUT_LINES =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

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
  return `\\u{${character.charCodeAt(0).toString(16)}}`
}
