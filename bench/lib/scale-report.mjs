// bench/SCALE.md: a section for each program that writes into it, between marks.
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { bench } from './prepare.mjs'
import { machine } from './report.mjs'

const file = join(bench, 'SCALE.md')

/** One line of a table. `floor`: the least that must be reached, or with `most` the greatest that is allowed. */
export function line(what, value, unit = '', { least, most, shown } = {}) {
  return { what, value, unit, least, most, shown }
}

/** Markdown: the machine, then what was measured, with its floor and whether that is reached. */
export function sectionOf(lines, { begun, versions, minutes, notes = [] }) {
  return [
    `${begun.at.toISOString().slice(0, 10)}; ${minutes.toFixed(1)} minutes. ${begun.cores} × ${begun.model}, ${begun.memory} GiB, load ${begun.load.toFixed(1)} at the start, ${loadavg()[0].toFixed(1)} at the end. ${versions.join(', ')}.`,
    '',
    ...notes.flatMap((note) => [note, '']),
    '| | measured | floor | |',
    '|---|---|---|---|',
    ...lines.map(
      (each) => `| ${[each.what, valueOf(each), floorOf(each), verdict(each)].join(' | ')} |`,
    ),
  ].join('\n')
}

/** Replaces the section of that name. */
export function writeSection(name, text) {
  const [begin, end] = [`<!-- ${name}: begin -->\n\n`, `\n\n<!-- ${name}: end -->`]
  const page = readFileSync(file, 'utf8')
  const from = page.indexOf(begin)
  const to = page.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`${file} has no marks for the section "${name}".`)
  writeFileSync(file, page.slice(0, from + begin.length) + text + page.slice(to))
}

export { machine }

function valueOf({ value, unit, shown }) {
  return shown ?? `${number(value)} ${unit}`.trim()
}

function floorOf({ least, most, unit }) {
  if (least !== undefined) return `at least ${number(least)} ${unit}`.trim()
  return most === undefined ? '' : `at most ${number(most)} ${unit}`.trim()
}

function verdict({ value, least, most }) {
  if (least === undefined && most === undefined) return ''
  return value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY)
    ? 'reached'
    : '**not reached**'
}

export function number(value) {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}
