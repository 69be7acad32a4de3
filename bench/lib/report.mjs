import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { references } from '../contenders/index.mjs'
import { measures } from '../measures/index.mjs'
import { judged } from './goals.mjs'
import { median } from './numbers.mjs'
import { bench, repository } from './prepare.mjs'

const NAMES = {
  postgres: 'PostgreSQL',
  mariadb: 'MariaDB',
  mysql: 'MySQL',
  sqlite: 'SQLite',
  redis: 'Redis',
}

/** What the machine was like when the run began. */
export function machine() {
  return {
    cores: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memory: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    at: new Date(),
  }
}

/** Of Node and of the packages, as pinned. */
export function versionsOf() {
  const { dependencies } = JSON.parse(readFileSync(`${bench}/package.json`, 'utf8'))
  const { version } = JSON.parse(
    readFileSync(`${repository}/node_modules/typeorm/package.json`, 'utf8'),
  )
  return Object.entries({ typeorm: version, ...dependencies }).map(
    ([name, number]) => `${name} ${number}`,
  )
}

/** The whole report, as Markdown. */
export function report(results, { begun, versions, minutes, rounds, quick, isWhole }) {
  const took = `${minutes.toFixed(1)} minutes, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}${quick ? ', --quick' : ''}`
  return [
    '# Results',
    '',
    `${begun.at.toISOString().slice(0, 10)}; ${took}. ${begun.cores} × ${begun.model}, ${begun.memory} GiB, load ${begun.load.toFixed(1)} at the start, ${loadavg()[0].toFixed(1)} at the end. ${versions.join(', ')}.`,
    'How it is measured: [README.md](README.md). Medians, with least and greatest in brackets; ratios are medians of the ratios within a round.',
    '',
    '## Goals',
    '',
    ...goalLines(results, isWhole),
    '',
    ...measures.flatMap((measure) => sections(results, measure)),
    ...problems(results),
  ].join('\n')
}

/** Of a part of the benchmark only the goals that it had to do with. */
function goalLines(results, isWhole) {
  const lines = judged(results)
    .filter(({ goal, value }) => /\d/.test(value) || (isWhole && !goal.startsWith('Redis')))
    .map(({ goal, value, reached }) => [goal, value, reached])
  return table(['goal', 'reached value', 'reached'], lines)
}

function sections(results, measure) {
  const parts = Object.keys(NAMES)
    .filter((database) => results.rows(measure.name, database).length > 0)
    .flatMap((database) => section(results, measure, database))
  return parts.length === 0
    ? []
    : [`## ${measure.title}`, '', ...(measure.note ? [measure.note, ''] : []), ...parts]
}

function section(results, measure, database) {
  const reference = measure.reference ?? references[measure.name.replace(/-.*/, '')]?.[database]
  const rows = results.rows(measure.name, database)
  const columns = Object.entries(measure.columns).filter(([metric]) =>
    rows.some((who) => results.median(measure.name, database, who, metric) !== undefined),
  )
  const head = [
    NAMES[database],
    ...columns.flatMap(([metric, title]) =>
      measure.ratios.includes(metric) ? [title, `× ${reference}`] : [title],
    ),
  ]
  const line = (who) => [
    who,
    ...columns.flatMap(([metric]) =>
      cells(results, measure, [measure.name, database, who, metric], reference),
    ),
  ]
  return [...table(head, rows.map(line)), '']
}

function cells(results, measure, place, reference) {
  const [name, database, , metric] = place
  const cell = spread(results.values(...place))
  if (!measure.ratios.includes(metric)) return [cell]
  return [cell, results.ratio(place, [name, database, reference, metric])?.toFixed(2) ?? '–']
}

function spread(values) {
  if (values.length === 0) return '–'
  const middle = number(median(values))
  return values.length === 1
    ? middle
    : `${middle} (${number(Math.min(...values))}–${number(Math.max(...values))})`
}

function number(value) {
  if (Number.isNaN(value)) return '–'
  const size = Math.abs(value)
  return size >= 100
    ? Math.round(value).toLocaleString('en-US')
    : value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

function table(head, lines) {
  const row = (cellsOfRow) => `| ${cellsOfRow.join(' | ')} |`
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...lines.map(row)]
}

function problems(results) {
  if (results.problems.length === 0) return []
  return ['## Not measured', '', ...results.problems.map((problem) => `- ${problem}`), '']
}
