/** The known text that is nearest to one: begins with it, or has few other letters; undefined if none is near. */
export function nearest(text: string, known: readonly string[]): string | undefined {
  const given = text.toLowerCase()
  const near = known
    .map((name) => ({ name, far: distance(given, name.toLowerCase()) }))
    .filter(
      ({ name, far }) =>
        far <= Math.max(1, given.length / 3) ||
        (given.length > 1 && name.toLowerCase().startsWith(given)),
    )
  return near.toSorted((one, other) => one.far - other.far)[0]?.name
}

/** Longer texts are no typing errors, and cost the product of their lengths. */
const MOST = 60

/** How many letters have to be added, left out or changed. */
function distance(one: string, other: string): number {
  if (one.length > MOST || other.length > MOST) return Infinity
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, changed))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
