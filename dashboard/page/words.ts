/** Instants and spans as people read them. */
export function ago(instant: string | null, now = Date.now()): string {
  if (instant === null) return '–'
  const ms = now - Date.parse(instant)
  return ms >= 0 ? `${span(ms)} ago` : `in ${span(-ms)}`
}

/** A span of time in its largest unit, with one digit where that is small. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1_000]
  const count = ms / size
  return `${count < 10 ? Number(count.toFixed(1)) : Math.round(count)} ${unit}`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** The last part of a task's name, which mostly tells it. */
export function briefly(text: string, most: number): string {
  return text.length <= most ? text : `…${text.slice(1 - most)}`
}
