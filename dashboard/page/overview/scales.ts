import { span } from '../parts/format'

/** The room of a plot, in pixels: labels stand left of it and under it. */
export const LEFT = 52
export const TOP = 6
export const BOTTOM = 20
export const HEIGHT = 190

/** From values to pixels, and which values have a line and a label. */
export interface Scale {
  readonly at: (value: number) => number
  readonly ticks: readonly { readonly at: number; readonly label: string }[]
}

const ROOM = HEIGHT - TOP - BOTTOM
/** Lines that a scale has, at about. */
const LINES = 4

export function counting(most: number): Scale {
  const rough = Math.max(1, most / LINES)
  const ten = 10 ** Math.floor(Math.log10(rough))
  const step = ten * ([1, 2, 5, 10].find((each) => each * ten >= rough) ?? 10)
  const top = Math.max(step, Math.ceil(most / step) * step)
  const at = (value: number): number => TOP + ROOM * (1 - value / top)
  const values = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step)
  return {
    at,
    ticks: values.map((value) => ({ at: at(value), label: value.toLocaleString('en-US') })),
  }
}

/** What a logarithmic axis may begin and end with, in ms: about ten times the one before, and in units that people count in. */
const MARKS = [
  1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 259_200_000, 2_592_000_000,
]

export function logarithmic(all: readonly number[]): Scale {
  const least = Math.min(...all)
  const most = Math.max(...all)
  const first = Math.max(
    0,
    MARKS.findLastIndex((mark) => mark <= least),
  )
  const end = MARKS.findIndex((mark) => mark >= most)
  const last = Math.max(first + 1, end === -1 ? MARKS.length - 1 : end)
  const marks = MARKS.slice(first, last + 1)
  const low = Math.log10(marks[0] ?? 1)
  const high = Math.log10(marks.at(-1) ?? 10)
  // Such an axis has no zero.
  const log = (ms: number): number => Math.min(high, Math.log10(Math.max(1, ms)))
  const at = (ms: number): number => TOP + ROOM * (1 - (log(ms) - low) / (high - low))
  return { at, ticks: marks.map((ms) => ({ at: at(ms), label: span(ms) })) }
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const TICKS = [
  ...[5, 10, 15, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12, 24, 48, 96].map((each) => each * HOUR),
]
/** A label of time needs so many pixels. */
const LABEL = 64

export function ofTime(from: number, to: number, width: number): Scale {
  const at = (time: number): number => LEFT + ((width - LEFT) * (time - from)) / (to - from)
  const most = Math.max(1, (width - LEFT) / LABEL)
  const step = TICKS.find((each) => (to - from) / each <= most) ?? 96 * HOUR
  // Midnight is one of the place where somebody looks.
  const offset = new Date(from).getTimezoneOffset() * MINUTE
  const ticks: { at: number; label: string }[] = []
  for (let time = Math.ceil((from - offset) / step) * step + offset; time < to; time += step)
    ticks.push({ at: at(time), label: labelOf(time) })
  return { at, ticks }
}

function labelOf(time: number): string {
  const text = new Date(time).toLocaleString('sv-SE')
  return text.slice(11, 16) === '00:00' ? text.slice(5, 10) : text.slice(11, 16)
}
