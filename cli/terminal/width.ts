/** Columns of a terminal that does not tell its width. */
const USUAL_COLUMNS = 80

const ASCII = /^[ -~]*$/
/** Characters of East Asia that terminals show in two columns, and emoji. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{17000}-\u{18aff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u
/** Characters that take no column of their own. */
const MARKS = /^\p{M}+$/u

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** The columns that a line may have: those of the terminal, else COLUMNS, else no limit. */
export function columnsOf({ isTTY, columns }: Stream): number {
  if (isTTY) return columns || USUAL_COLUMNS
  return Number(process.env['COLUMNS']) || Number.POSITIVE_INFINITY
}

/** The columns that a terminal needs for a text of one line. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length
  return charactersOf(text).reduce((sum, character) => sum + columnsFor(character), 0)
}

/** The text, or as much of its beginning as fits, followed by an ellipsis. */
export function cutTo(columns: number, text: string): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  let left = columns - 1
  for (const character of charactersOf(text)) {
    left -= columnsFor(character)
    if (left < 0) break
    kept += character
  }
  return columns < 1 ? '' : `${kept}…`
}

/** The text of exactly this width: cut, or filled with blanks. */
export function fitTo(columns: number, text: string): string {
  const cut = cutTo(columns, text)
  return cut + ' '.repeat(columns - widthOf(cut))
}

/** Breaks each line at blanks, so that no line is wider where its words allow that. */
export function wrapTo(columns: number, text: string): string {
  if (!Number.isFinite(columns)) return text
  return text
    .split('\n')
    .flatMap((line) => wrapped(columns, line))
    .join('\n')
}

function wrapped(columns: number, text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && widthOf(longer) <= columns) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function columnsFor(character: string): number {
  if (MARKS.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
