/** Lines around a change that are shown with it. */
const AROUND = 2

interface Line {
  readonly sign: ' ' | '+' | '-'
  readonly text: string
}

/** What changes between two texts, line by line: added ones with `+`, removed ones with `-`, and a few lines around them. */
export function diffLines(before: string, after: string): string[] {
  const all = compared(linesOf(before), linesOf(after))
  const isNear = (at: number): boolean =>
    all.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ sign }) => sign !== ' ')
  return all.flatMap(({ sign, text }, at) => {
    if (!isNear(at)) return at > 0 && isNear(at - 1) && at < all.length - 1 ? ['  …'] : []
    return [`${sign} ${text}`.trimEnd()]
  })
}

/** Without the empty text that follows the last line end. */
function linesOf(text: string): string[] {
  return text.replace(/\r?\n$/, '').split(/\r?\n/)
}

/** Line by line: an old line that does not come again is removed, a new one that is not the next old one is added. */
function compared(before: readonly string[], after: readonly string[]): Line[] {
  const found: Line[] = []
  let old = 0
  for (const [at, text] of after.entries()) {
    while (old < before.length && !after.slice(at).includes(before[old] ?? ''))
      found.push({ sign: '-', text: before[old++] ?? '' })
    const isOld = before[old] === text
    found.push({ sign: isOld ? ' ' : '+', text })
    if (isOld) old += 1
  }
  return [...found, ...before.slice(old).map((text): Line => ({ sign: '-', text }))]
}
