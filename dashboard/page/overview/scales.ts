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

/** A logarithmic axis has no zero. */
const LEAST_MS = 1

export function logarithmic(all: readonly number[]): Scale {
  const log = (ms: number): number => Math.log10(Math.max(LEAST_MS, ms))
  const low = Math.floor(log(Math.min(...all)))
  const high = Math.max(low + 1, Math.ceil(log(Math.max(...all))))
  const at = (ms: number): number => TOP + ROOM * (1 - (log(ms) - low) / (high - low))
  const values = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  return { at, ticks: values.map((ms) => ({ at: at(ms), label: span(ms) })) }
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
