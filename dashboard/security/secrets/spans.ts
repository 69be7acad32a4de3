/** Characters of a text, the last one not included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** A text with another one in the place of each span. */
export function replaced(text: string, spans: readonly Span[], by: string): string {
  if (spans.length === 0) return text
  const parts: string[] = []
  let shown = 0
  let hidden: Span | undefined
  for (const span of spans.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
    if (hidden && span.from < hidden.to) {
      if (span.to > hidden.to) hidden = { from: hidden.from, to: span.to }
      continue
    }
    if (hidden) {
      parts.push(text.slice(shown, hidden.from), by)
      shown = hidden.to
    }
    hidden = span
  }
  if (hidden) parts.push(text.slice(shown, hidden.from), by, text.slice(hidden.to))
  return parts.join('')
}
